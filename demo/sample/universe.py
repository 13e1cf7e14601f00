"""The fictional securities: tickers, names, issuers, share classes, sectors, industries and exclusion categories.

Nothing here is a real company: tickers are pronounceable five-letter words made by the generator, an issuer with two share
classes has a four-letter word and the letter of the class.
"""

from dataclasses import dataclass

import numpy as np

from demo.sample.days import rng_of

SECURITIES = 600
SHARE_CLASS_PAIRS = 15

# sector: (share of the names, its industries)
SECTORS: dict[str, tuple[float, tuple[str, ...]]] = {
    "Communication": (0.06, ("Telecom", "Media", "Online Platforms")),
    "Consumer Cyclicals": (0.11, ("Retail", "Cars", "Casinos", "Apparel")),
    "Consumer Staples": (0.08, ("Food", "Brewers", "Tobacco", "Household Goods")),
    "Energy": (0.05, ("Oil Producers", "Oil Services")),
    "Financials": (0.14, ("Banks", "Insurance", "Asset Managers", "Consumer Credit")),
    "Health Care": (0.13, ("Drugs", "Medical Devices", "Health Services")),
    "Industrials": (0.14, ("Aerospace and Defence", "Machinery", "Transport", "Business Services")),
    "Materials": (0.05, ("Chemicals", "Metals", "Packaging")),
    "Property": (0.05, ("Offices", "Housing", "Data Centres")),
    "Technology": (0.14, ("Software", "Semiconductors", "Hardware", "Consulting")),
    "Utilities": (0.05, ("Electricity", "Water and Gas")),
}

# industry: categories with the probability that a name of it is classified so
CATEGORIES: dict[str, dict[str, float]] = {
    "Tobacco": {"tobacco": 1.0},
    "Brewers": {"alcohol": 1.0},
    "Food": {"animal_products": 0.5, "alcohol": 0.1},
    "Retail": {"alcohol": 0.12, "tobacco": 0.1, "civilian_firearms": 0.08},
    "Casinos": {"gambling": 1.0, "alcohol": 0.4},
    "Media": {"adult_entertainment": 0.2, "gambling": 0.1},
    "Online Platforms": {"adult_entertainment": 0.15, "gambling": 0.15},
    "Aerospace and Defence": {"weapons": 0.75, "nuclear_weapons": 0.2},
    "Banks": {"interest_banking": 1.0},
    "Insurance": {"interest_banking": 0.7},
    "Consumer Credit": {"interest_banking": 1.0},
    "Asset Managers": {"interest_banking": 0.3},
    "Oil Producers": {"fossil_fuel": 1.0},
    "Oil Services": {"fossil_fuel": 1.0},
    "Electricity": {"fossil_fuel": 0.5, "nuclear_power": 0.25},
    "Drugs": {"animal_testing": 0.5, "contraceptives": 0.15},
    "Medical Devices": {"contraceptives": 0.06},
    "Chemicals": {"animal_testing": 0.3, "fossil_fuel": 0.15},
    "Business Services": {"private_prisons": 0.08},
}

ONSETS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "qu",
    "r",
    "s",
    "t",
    "tr",
    "v",
    "w",
    "y",
    "z",
)
VOWELS = ("a", "e", "i", "o", "u")
CODAS = ("b", "d", "g", "k", "l", "m", "n", "p", "r", "v", "x", "z")


@dataclass(frozen=True)
class Security:
    """One listed security of the sample; the two classes of one issuer share `identity_group`."""

    security_id: str
    name: str
    issuer_id: str
    identity_group: str
    sector: str
    industry: str
    categories: tuple[str, ...]


def make_universe() -> list[Security]:
    """The sample's securities, ordered by security_id.  The first draw of the SHARE_CLASS_PAIRS issuers has two classes."""
    rng = rng_of(1)
    issuers = SECURITIES - SHARE_CLASS_PAIRS
    words = _words(rng, issuers)
    shares = np.array([share for share, _ in SECTORS.values()])
    sectors = rng.choice(list(SECTORS), size=issuers, p=shares / shares.sum())
    securities = []
    for number, (word, sector) in enumerate(zip(words, sectors.tolist(), strict=True)):
        industries = SECTORS[sector][1]
        industry = industries[int(rng.integers(len(industries)))]
        categories = tuple(sorted(name for name, odds in CATEGORIES.get(industry, {}).items() if rng.random() < odds))
        classes = ("A", "B") if number < SHARE_CLASS_PAIRS else ("",)
        for letter in classes:
            ticker = word[:4] + letter if letter else word
            title = f"{word.title()} {industry}" + (f" Class {letter}" if letter else "")
            issuer = f"ISS-{word}"
            securities.append(Security(ticker, title, issuer, issuer, sector, industry, categories))
    return sorted(securities, key=lambda security: security.security_id)


def _words(rng: np.random.Generator, count: int) -> list[str]:
    """Distinct five-letter words, no two with the same first four letters."""
    parts = (ONSETS, VOWELS, CODAS, VOWELS, CODAS)
    draws = np.column_stack([rng.integers(0, len(part), 4 * count) for part in parts]).tolist()
    words: dict[str, str] = {}
    for draw in draws:
        word = "".join(part[i] for part, i in zip(parts, draw, strict=True))[:5].upper()
        if len(word) == 5:
            words.setdefault(word[:4], word)
    return list(words.values())[:count]
