"""The federal law's figures by year and filing status, each with its source: data that several services read."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from msgspec import Struct

FilingStatus = Literal["single", "mfj", "mfs", "hoh"]
FILING_STATUSES: tuple[FilingStatus, ...] = ("single", "mfj", "mfs", "hoh")

GAIN_RATES = (Decimal(0), Decimal("0.15"), Decimal("0.20"))
ORDINARY_RATES = tuple(Decimal(rate) for rate in ("0.10", "0.12", "0.22", "0.24", "0.32", "0.35", "0.37"))
NIIT_RATE = Decimal("0.038")


class YearTable(Struct, frozen=True):
    """One year's breakpoints of taxable income in dollars, by filing status; an amount at a breakpoint is still taxed below it.

    `gain` are the ends of the 0 and the 15 bracket, `ordinary` the ends of the first six ordinary brackets.
    """

    year: int
    gain: Mapping[FilingStatus, tuple[Decimal, Decimal]]
    ordinary: Mapping[FilingStatus, tuple[Decimal, ...]]
    sources: tuple[str, ...]


def _dollars(*amounts: int) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


def _two(zero_until: int, fifteen_until: int) -> tuple[Decimal, Decimal]:
    return Decimal(zero_until), Decimal(fifteen_until)


YEARS: Mapping[int, YearTable] = {
    2025: YearTable(
        2025,
        {
            "single": _two(48_350, 533_400),
            "mfj": _two(96_700, 600_050),
            "mfs": _two(48_350, 300_000),
            "hoh": _two(64_750, 566_700),
        },
        {
            "single": _dollars(11_925, 48_475, 103_350, 197_300, 250_525, 626_350),
            "mfj": _dollars(23_850, 96_950, 206_700, 394_600, 501_050, 751_600),
            "mfs": _dollars(11_925, 48_475, 103_350, 197_300, 250_525, 375_800),
            "hoh": _dollars(17_000, 64_850, 103_350, 197_300, 250_500, 626_350),
        },
        ("IRS Pub. 550 (2025) Table 4-4; section 6.4 of the rules", "Rev. Proc. 2024-40, section 2.01 (ordinary rates)"),
    ),
    2026: YearTable(
        2026,
        {
            "single": _two(49_450, 545_500),
            "mfj": _two(98_900, 613_700),
            "mfs": _two(49_450, 306_850),
            "hoh": _two(66_200, 579_600),
        },
        {
            "single": _dollars(12_400, 50_400, 105_700, 201_775, 256_225, 640_600),
            "mfj": _dollars(24_800, 100_800, 211_400, 403_550, 512_450, 768_700),
            "mfs": _dollars(12_400, 50_400, 105_700, 201_775, 256_225, 384_350),
            "hoh": _dollars(17_700, 67_450, 105_700, 201_750, 256_200, 640_600),
        },
        ("Rev. Proc. 2025-32; section 6.4 of the rules", "Rev. Proc. 2025-32, section 4.01 (ordinary rates)"),
    ),
}

NIIT_THRESHOLDS: Mapping[FilingStatus, Decimal] = {
    "single": Decimal(200_000),
    "hoh": Decimal(200_000),
    "mfj": Decimal(250_000),
    "mfs": Decimal(125_000),
}
"""MAGI above which the net investment income tax begins: IRC 1411(b), not indexed (section 6.5)."""

LOSS_LIMITS: Mapping[FilingStatus, Decimal] = {
    "single": Decimal(3_000),
    "hoh": Decimal(3_000),
    "mfj": Decimal(3_000),
    "mfs": Decimal(1_500),
}
"""Net capital loss deductible in a year: IRC 1211(b) (section 6.1)."""
