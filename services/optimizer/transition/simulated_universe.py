"""The fictional securities of the simulated market that ships with transition analysis: shares, funds and bond funds.

Nothing here is a real company or fund.  Everything follows from one seed.
"""

from dataclasses import dataclass

import numpy as np

SEED = 20261120
SHARE_CLASS_PAIRS = 8

# sector: (share of the names, lean to growth from -1 to 1, industries with the categories of a share of their names)
SECTORS: dict[str, tuple[float, float, dict[str, dict[str, float]]]] = {
    "Communication": (0.06, 0.3, {"Telecom": {}, "Media": {"gambling": 0.1}, "Online Platforms": {"adult_entertainment": 0.1}}),
    "Consumer Cyclicals": (0.11, 0.2, {"Retail": {"tobacco": 0.1}, "Cars": {}, "Casinos": {"gambling": 1.0}, "Apparel": {}}),
    "Consumer Staples": (0.08, -0.3, {"Food": {"animal_products": 0.5}, "Brewers": {"alcohol": 1.0}, "Tobacco": {"tobacco": 1.0}}),
    "Energy": (0.05, -0.6, {"Oil Producers": {"fossil_fuel": 1.0}, "Oil Services": {"fossil_fuel": 1.0}}),
    "Financials": (0.14, -0.5, {"Banks": {"interest_banking": 1.0}, "Insurance": {"interest_banking": 0.7}, "Asset Managers": {}}),
    "Health Care": (0.13, 0.2, {"Drugs": {"animal_testing": 0.5}, "Medical Devices": {}, "Health Services": {}}),
    "Industrials": (0.14, 0.0, {"Aerospace and Defence": {"weapons": 0.75}, "Machinery": {}, "Transport": {}, "Business Services": {}}),
    "Materials": (0.05, -0.2, {"Chemicals": {"animal_testing": 0.3}, "Metals": {}, "Packaging": {}}),
    "Property": (0.05, -0.3, {"Offices": {}, "Housing": {}, "Data Centres": {}}),
    "Technology": (0.14, 0.7, {"Software": {}, "Semiconductors": {}, "Hardware": {}, "Consulting": {}}),
    "Utilities": (0.05, -0.6, {"Electricity": {"fossil_fuel": 0.5, "nuclear_power": 0.25}, "Water and Gas": {}}),
}

# (region, size): (names, least and most capitalisation in dollars)
SIZES: dict[tuple[str, str], tuple[int, float, float]] = {
    ("US", "large"): (250, 14e9, 2.4e12),
    ("US", "mid"): (130, 4e9, 14e9),
    ("US", "small"): (110, 0.4e9, 4e9),
    ("Europe", "large"): (40, 10e9, 300e9),
    ("Asia", "large"): (30, 10e9, 300e9),
    ("Emerging", "large"): (20, 8e9, 250e9),
}

ONSETS = tuple("b br d dr f g gr h j k kr l m n p pr qu r s t tr v w y z".split())  # noqa: SIM905 (a list this long reads better as text)
VOWELS = tuple("a e i o u".split())  # noqa: SIM905 (a list this long reads better as text)
CODAS = tuple("b d g k l m n p r v x z".split())  # noqa: SIM905 (a list this long reads better as text)


@dataclass(frozen=True)
class Security:
    """One fictional security; `growth` from -1 (value) to 1; the two classes of an issuer share `issuer_id`."""

    security_id: str
    name: str
    issuer_id: str
    sector: str
    industry: str
    categories: tuple[str, ...]
    asset_class: str
    region: str
    size: str
    style: str
    growth: float
    cap_usd: float
    price_cents: int


def make_shares() -> list[Security]:
    """Every share, by region and size, the largest first."""
    rng = np.random.default_rng(SEED)
    count = sum(number for number, _, _ in SIZES.values())
    words = iter(_words(rng, count))
    found: list[Security] = []
    for (region, size), (number, least, most) in SIZES.items():
        spread = np.sort(rng.power(0.22 if size == "large" else 0.8, number))[::-1]
        for cap in (least * (most / least) ** spread).tolist():
            found.append(_share(rng, next(words), region, size, cap))
    pairs = [_second_class(rng, each) for each in found[20 : 20 + 3 * SHARE_CLASS_PAIRS : 3]]
    return found + pairs


def _share(rng: np.random.Generator, word: str, region: str, size: str, cap: float) -> Security:
    shares = np.array([share for share, _, _ in SECTORS.values()])
    sector = str(rng.choice(list(SECTORS), p=shares / shares.sum()))
    _, lean, industries = SECTORS[sector]
    industry = list(industries)[int(rng.integers(len(industries)))]
    categories = tuple(sorted(name for name, odds in industries[industry].items() if rng.random() < odds))
    growth = float(np.clip(0.7 * lean + 0.5 * rng.standard_normal(), -1, 1))
    style = "growth" if growth > 0.25 else "value" if growth < -0.25 else "core"
    price = int(np.clip(np.exp(rng.normal(4.5, 0.8)), 4, 900) * 100)
    title = f"{word.title()} {industry}"
    return Security(word, title, f"ISS-{word}", sector, industry, categories, "equity", region, size, style, round(growth, 3), cap, price)


def _second_class(rng: np.random.Generator, first: Security) -> Security:
    """Another class of the same issuer, smaller and at nearly the same price."""
    ticker, price = f"{first.security_id[:4]}.B", int(first.price_cents * rng.uniform(0.95, 1.0))
    rest = (first.sector, first.industry, first.categories, "equity", first.region, first.size, first.style, first.growth)
    return Security(ticker, f"{first.name} Class B", first.issuer_id, *rest, first.cap_usd * 0.2, price)


def _words(rng: np.random.Generator, count: int) -> list[str]:
    """Distinct five-letter words, no two with the same first four letters."""
    parts = (ONSETS, VOWELS, CODAS, VOWELS, CODAS)
    words: dict[str, str] = {}
    while len(words) < count:
        word = "".join(part[int(rng.integers(len(part)))] for part in parts)[:5].upper()
        if len(word) == 5:
            words.setdefault(word[:4], word)
    return list(words.values())
