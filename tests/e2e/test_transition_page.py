"""The transition page in a real browser: what an adviser does, at a desk, on a phone, by mouse, by keyboard, with and without script."""

import itertools
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.transition_site import DESK, PHONE, Looked, chromium, site_on

ROOT = Path(__file__).parents[2]
LONG_MS = 120_000  # the worker starts and compiles what is not in its cache
CLIENT = "Wilhelmina Seitentest"
CONTRAST = 4.5

CONTRASTS = """() => {
  const parse = (c) => { const v = c.match(/[\\d.]+/g).map(Number); return { rgb: v.slice(0, 3), a: v.length > 3 ? v[3] : 1 }; };
  const light = (rgb) => { const [r, g, b] = rgb.map((x) => { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => {
    for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a > 0.99) return c.rgb; }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n; (n = walk.nextNode());) {
    const e = n.parentElement;
    if (!n.textContent.trim() || e.closest("script,style,option,.skip") || !e.getClientRects().length) continue;
    const style = getComputedStyle(e), over = e.closest("svg");
    const front = parse(over ? style.fill === "none" ? style.color : style.fill : style.color).rgb;
    const [a, b] = [light(front), light(behind(over ? over.parentElement : e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), n.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""

WITHOUT_NAMES = """() => [...document.querySelectorAll("input:not([type=hidden]),select,textarea,button,a[href],progress")]
  .filter((e) => e.getClientRects().length)
  .filter((e) => !(e.labels && e.labels.length) && !e.getAttribute("aria-label") && !e.textContent.trim())
  .map((e) => e.outerHTML.slice(0, 120))"""


def sample_lots(count: int = 60) -> str:
    form = json.loads((ROOT / "docs/examples/transition/seasoned.json").read_text())
    return "\n".join(f"{x['ticker']}, {x['acquired']}, {x['shares']}, {x['cost_per_share']}" for x in form["lots"][:count])


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as one:
        yield one


async def fill_in(page: Page) -> None:
    """What the adviser types."""
    await page.get_by_label("Client", exact=False).first.fill(CLIENT)
    await page.locator("#f-lots").fill(sample_lots())
    await page.locator("#f-strategy").select_option("direct-index-large-cap")
    for name, text in (
        ("cash", "18,400.00"),
        ("short_rate", "40.8%"),
        ("long_rate", "23.8%"),
        ("tax_budget", "5000"),
        ("never_sell", "BRANO"),
    ):
        await page.locator(f"#f-{name}").fill(text)
    await page.locator("input[name=exclude][value=tobacco]").check()


async def open_page(browser: Browser, address: str, size: dict[str, int], script: bool = True) -> Looked:
    context = await browser.new_context(viewport=size, java_script_enabled=script)  # type: ignore[arg-type]
    looked = Looked(await context.new_page())
    await looked.page.goto(address)
    return looked


async def looks_right(page: Page) -> None:
    """Nothing wider than the window, every control named, one h1, headings in order, text legible."""
    assert await page.evaluate("document.documentElement.scrollWidth") <= await page.evaluate("window.innerWidth")
    assert await page.evaluate(WITHOUT_NAMES) == []
    levels = [int(each[1]) for each in await page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((e) => e.tagName)")]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    contrasts = await page.evaluate(CONTRASTS)
    assert [each for each in contrasts if each[0] < CONTRAST] == []
    assert await page.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size === document.querySelectorAll('[id]').length"
    )


async def test_an_adviser_analyses_compares_and_prints(fresh_database: str, browser: Browser) -> None:
    async with site_on(fresh_database) as site:
        looked = await open_page(browser, f"{site.address}/transition", DESK)
        page = looked.page
        await looks_right(page)
        await fill_in(page)
        await page.get_by_role("button", name="Analyse").click()
        await expect(page.get_by_role("heading", name="Every way to move, compared")).to_be_visible(timeout=LONG_MS)
        await looks_right(page)
        await slider_by_keyboard(page)
        await switched_off(page)
        await page.emulate_media(media="print")
        assert not await page.get_by_role("button", name="Print").is_visible()
        assert await page.locator("#h-picture").is_visible()
        await page.emulate_media(media="screen")
        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        await looks_right(page)
        assert await page.locator("#frontier-narrow").is_visible()
        assert not await page.locator("#frontier-wide").is_visible()
        pdf = await page.request.get(f"{page.url}/report.pdf")
        assert (await pdf.body())[:5] == b"%PDF-"
        said = await (await page.request.get(f"{page.url}/report.json")).text()
        assert CLIENT not in said
        assert looked.complaints == []
        await page.context.close()


async def slider_by_keyboard(page: Page) -> None:
    """Arrow keys walk the frontier; what is said is the point's own numbers, and the picture's marker goes along."""
    slider = page.get_by_role("slider")
    await slider.focus()
    await page.keyboard.press("Home")
    first = await slider.get_attribute("aria-valuetext") or ""
    marker = page.locator("#frontier-wide .marker")
    place = await marker.get_attribute("transform")
    points = json.loads(await page.locator("#points").text_content() or "[]")
    assert len(points) >= 20
    assert first == points[0]["said"]
    for step in range(1, len(points)):
        await page.keyboard.press("ArrowRight")
        assert await slider.get_attribute("aria-valuetext") == points[step]["said"]
    assert await marker.get_attribute("transform") != place
    assert points[-1]["tax"] in await page.locator("#point").inner_text()


async def switched_off(page: Page) -> None:
    """A restriction off says what it costs."""
    box = page.locator(".switches input[type=checkbox]").first
    await box.focus()
    await page.keyboard.press("Space")
    assert "tracking error" in await page.locator("#switched").inner_text()
    await page.keyboard.press("Space")
    await expect(page.locator("#switched")).to_be_empty()


async def test_faults_are_marked_and_everything_else_is_kept(fresh_database: str, browser: Browser) -> None:
    async with site_on(fresh_database) as site:
        looked = await open_page(browser, f"{site.address}/transition", PHONE)
        page = looked.page
        await fill_in(page)
        bad = sample_lots(3) + "\nNOSUCH, 2020-01-01, 5, 3\nBODAK, 2099-01-01, 4, 4\nBODAK, 2020-01-01, , 3"
        await page.locator("#f-lots").fill(bad)
        await page.locator("#f-tax_budget").fill("a lot")
        await page.get_by_role("button", name="Analyse").click()
        faults = page.locator("#faults")
        await expect(faults).to_be_focused()
        text = await faults.inner_text()
        assert [line for line in (4, 5, 6) if f"Line {line}, " not in text] == []
        assert "Tax budget a year" in text
        assert await page.locator("#f-lots").input_value() == bad
        assert await page.locator("#f-client_name").input_value() == CLIENT
        assert await page.locator("#f-tax_budget").get_attribute("aria-invalid") == "true"
        assert await page.locator("#f-strategy").input_value() == "direct-index-large-cap"
        assert await page.locator("input[name=exclude][value=tobacco]").is_checked()
        await faults.get_by_text("Line 5").click()
        chosen = await page.evaluate(
            "(() => { const t = document.activeElement; return t.value.slice(t.selectionStart, t.selectionEnd); })()"
        )
        assert chosen == "BODAK, 2099-01-01, 4, 4"
        await looks_right(page)
        assert [each for each in looked.complaints if "422" not in each] == []  # Chromium tells of the status itself
        await page.context.close()


async def test_by_keyboard_alone_and_without_script(fresh_database: str, browser: Browser, tmp_path: Path) -> None:
    lots = tmp_path / "lots.csv"
    lots.write_bytes(
        ("Symbol;Quantity;Date Acquired;Cost Basis\n" + "BODAK;1.200;03.02.2020;24.000,50\nBRANO;33;03.04.2020;552,09\n").encode("utf-16")
    )
    async with site_on(fresh_database) as site:
        looked = await open_page(browser, f"{site.address}/transition", DESK, script=False)
        page = looked.page
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.locator("#f-lots_file").set_input_files(lots)
        await page.locator("#f-strategy").select_option("direct-index-large-cap")
        await page.locator("#f-short_rate").fill("37%")
        await page.locator("#f-long_rate").fill("20%")
        await page.locator("#f-long_rate").press("Enter")
        heading = page.get_by_role("heading", name="Every way to move, compared")
        await expect(heading).to_be_visible(timeout=LONG_MS)  # the page asks again by itself
        assert await page.locator("#slider").is_hidden()
        assert re.fullmatch(r".*/transition/[\w-]{16}", page.url)
        assert looked.complaints == []
        await page.context.close()
