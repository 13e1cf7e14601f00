"""docs/transition-intake.md names every field of the form, and its samples and strategies are the ones that ship."""

from pathlib import Path

from services.optimizer.transition.catalogue import Catalogue, read_catalogue
from services.optimizer.transition.form import MEMBERS, read_form
from services.optimizer.transition.lots_csv import read_table
from services.optimizer.transition.market_directory import TransitionMarket, read_market

DOCS = Path(__file__).parents[4] / "docs"
TEXT = (DOCS / "transition-intake.md").read_text()


def test_every_field_is_documented() -> None:
    assert [name for name in sorted(MEMBERS) if f"`{name}`" not in TEXT] == []


def test_its_examples_are_read_without_a_fault() -> None:
    example = TEXT.split("```json\n")[1].split("```")[0]
    read = read_form(example)
    market = read_market()
    assert isinstance(market, TransitionMarket)
    assert read.faults == []
    assert [lot.ticker for lot in read.form.lots if lot.ticker not in market.position] == []
    table = read_table(TEXT.split("```\nstrategy,")[1].split("```")[0])
    assert table.faults == []
    assert [lot.ticker for lot in table.lots if lot.ticker not in market.position] == []


def test_its_samples_are_there_and_its_figures_are_the_markets() -> None:
    assert all(f"examples/transition/{path.name}" in TEXT for path in (DOCS / "examples/transition").iterdir())
    market, catalogue = read_market(), read_catalogue()
    assert isinstance(market, TransitionMarket)
    assert isinstance(catalogue, Catalogue)
    count = {kind: sum(each.asset_class == kind for each in market.securities) for kind in ("equity", "fund", "bond_fund")}
    assert (
        f"{count['equity']} fictional shares, {count['fund']} funds of shares and {count['bond_fund']} bond funds as of {market.as_of}"
        in TEXT
    )
    assert f"{len(market.factors)} independent factors" in TEXT
