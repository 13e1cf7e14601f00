"""The fictional funds of the simulated market: what a client brings along, and what sleeves are made of.

A fund of shares is a portfolio of the simulated shares with some active risk of its own; a bond fund has rates and credit.
"""

from dataclasses import dataclass
from typing import Literal

Holds = Literal["US large", "US large growth", "US large value", "US mid and small", "International", "World", "Balanced"]


@dataclass(frozen=True)
class ShareFund:
    """A fund of shares: `active_frac` is its yearly risk against what it holds; `bonds_frac` is in bonds."""

    security_id: str
    name: str
    holds: Holds
    active_frac: float
    price_cents: int
    bonds_frac: float = 0.0


@dataclass(frozen=True)
class BondFund:
    """A bond fund: yearly volatility by rates and by credit, and of its own; `industry` says what it holds."""

    security_id: str
    name: str
    industry: str
    rates_frac: float
    credit_frac: float
    own_frac: float
    price_cents: int


SHARE_FUNDS = (
    ShareFund("FXLCG", "Foxglove Large Growth Fund", "US large growth", 0.035, 8412),
    ShareFund("FXLCV", "Foxglove Large Value Fund", "US large value", 0.03, 4155),
    ShareFund("FXLCB", "Foxglove Blue Chip Fund", "US large", 0.03, 15230),
    ShareFund("FXBAL", "Foxglove Balanced Fund", "Balanced", 0.02, 3120, 0.4),
    ShareFund("FXINT", "Foxglove Overseas Fund", "International", 0.04, 5277),
    ShareFund("FXSMC", "Foxglove Small Company Fund", "US mid and small", 0.05, 2890),
    ShareFund("HRNGW", "Heron Opportunity Fund", "US large growth", 0.06, 19841),
    ShareFund("HRNEQ", "Heron Equity Income Fund", "US large value", 0.035, 3644),
    ShareFund("HRNWD", "Heron World Fund", "World", 0.03, 6120),
    ShareFund("HRNSV", "Heron Small Value Fund", "US mid and small", 0.06, 4433),
    ShareFund("HRNFC", "Heron Focused Fund", "US large", 0.08, 7781),
    ShareFund("HRNBL", "Heron Retirement Blend", "Balanced", 0.015, 2755, 0.5),
    ShareFund("LNDSP", "Linden Large Index Fund", "US large", 0.002, 52144),
    ShareFund("LNDTM", "Linden Total Index Fund", "US large", 0.006, 27311),
    ShareFund("LNDGR", "Linden Growth Index Fund", "US large growth", 0.003, 38705),
    ShareFund("LNDVL", "Linden Value Index Fund", "US large value", 0.003, 18290),
    ShareFund("LNDXT", "Linden Completion Index Fund", "US mid and small", 0.004, 17112),
    ShareFund("LNDIN", "Linden International Index Fund", "International", 0.005, 6654),
    ShareFund("LNDEM", "Linden World Index Fund", "World", 0.004, 10982),
    ShareFund("MRTIN", "Merlin International Stock Fund", "International", 0.05, 5918),
    ShareFund("MRTGR", "Merlin Growth and Income Fund", "US large", 0.025, 6290),
    ShareFund("MRTMC", "Merlin Mid Cap Fund", "US mid and small", 0.045, 11804),
    ShareFund("MRTTG", "Merlin Technology Leaders Fund", "US large growth", 0.09, 14377),
    ShareFund("MRTDV", "Merlin Dividend Fund", "US large value", 0.03, 3371),
)

BOND_FUNDS = (
    BondFund("BNDAG", "Linden Core Bond Fund", "Taxable bonds", 0.055, 0.006, 0.004, 9935),
    BondFund("BNDTR", "Linden Treasury Bond Fund", "Government bonds", 0.06, -0.004, 0.003, 10422),
    BondFund("BNDST", "Linden Short Treasury Fund", "Government bonds", 0.018, 0.0, 0.002, 5021),
    BondFund("BNDLG", "Linden Long Treasury Fund", "Government bonds", 0.14, -0.01, 0.008, 8120),
    BondFund("BNDTI", "Linden Inflation Bond Fund", "Inflation bonds", 0.05, 0.008, 0.015, 11033),
    BondFund("BNDIG", "Linden Corporate Bond Fund", "Taxable bonds", 0.06, 0.025, 0.006, 10710),
    BondFund("BNDHY", "Linden High Income Bond Fund", "High-income bonds", 0.02, 0.075, 0.012, 7644),
    BondFund("BNDMU", "Linden Municipal Bond Fund", "Municipal bonds", 0.045, 0.012, 0.01, 10590),
    BondFund("BNDMS", "Linden Short Municipal Fund", "Municipal bonds", 0.018, 0.004, 0.005, 5233),
    BondFund("BNDMB", "Linden Mortgage Bond Fund", "Taxable bonds", 0.05, 0.004, 0.008, 9210),
    BondFund("BNDFR", "Linden Floating Rate Fund", "High-income bonds", 0.003, 0.045, 0.012, 4702),
    BondFund("BNDGL", "Linden Global Bond Fund", "Taxable bonds", 0.045, 0.012, 0.02, 9488),
    BondFund("BNDCA", "Linden Cash Reserve Fund", "Government bonds", 0.003, 0.0, 0.001, 10004),
    BondFund("FXBND", "Foxglove Income Fund", "Taxable bonds", 0.05, 0.02, 0.015, 1422),
    BondFund("HRNBD", "Heron Strategic Bond Fund", "Taxable bonds", 0.045, 0.03, 0.02, 1188),
    BondFund("MRTMU", "Merlin Tax-Exempt Fund", "Municipal bonds", 0.055, 0.015, 0.015, 1277),
)
