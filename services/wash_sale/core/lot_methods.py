"""Which ways of choosing lots a security allows (section 5)."""

from typing import Literal

LotMethod = Literal["fifo", "specific_id", "average"]
FUND_LIKE = frozenset({"mutual_fund", "fund", "etf", "drp", "drip", "dividend_reinvestment_plan"})
"""What average basis is allowed for: shares of a fund or of a dividend reinvestment plan (Reg. 1.1012-1(e))."""


def allowed_method(security_type: str, wanted: LotMethod) -> LotMethod:
    """The method itself where the security allows it; average basis for any other stock falls back to FIFO."""
    return "fifo" if wanted == "average" and security_type not in FUND_LIKE else wanted
