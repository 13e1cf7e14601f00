"""Random histories of a household for the property tests: two taxpayers, an IRA, two share classes of one issuer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from hypothesis import strategies as st

from libs.common.money import plain
from libs.common.schemas.account import AccountChanged, Lot, PastSale
from libs.common.schemas.order import TradeBooked
from services.wash_sale.core.securities import SecurityFacts
from tests.unit.wash_sale.samples import account, buy, day, facts, lot, sell

D = Decimal
ACCOUNTS = {"A1": ("taxable", "T1"), "A2": ("taxable", "T2"), "I1": ("traditional_ira", "T1")}
CLASSES = ("XA", "XB")
GROUPS = {"XA": "X", "XB": "X", "Y": "Y"}
SECURITIES: SecurityFacts = facts(GROUPS)


@dataclass
class History:
    """First versions of the accounts, and trades in the order in which they happened; all sales fit what is held."""

    accounts: list[AccountChanged]
    trades: list[TradeBooked] = field(default_factory=list)

    @property
    def events(self) -> list[AccountChanged | TradeBooked]:
        return [*self.accounts, *self.trades]


def dollars(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low * 100, high * 100).map(lambda cents: plain(D(cents) / 100))


def shares(most: int) -> st.SearchStrategy[Decimal]:
    return st.one_of(st.integers(1, most).map(D), st.integers(1, 4 * most).map(lambda quarters: D(quarters) / 4))


@st.composite
def histories(draw: st.DrawFn, whole: bool = False, past: bool = True, securities: Sequence[str] = (*CLASSES, "Y")) -> History:
    """A starting point and up to 14 trades within some weeks of each other."""
    quantity = st.integers(1, 12).map(D) if whole else shares(12)
    held: dict[tuple[str, str], dict[str, Decimal]] = {}
    starts = []
    for account_id, (kind, taxpayer_id) in ACCOUNTS.items():
        lots = [_starting(draw, account_id, number, quantity, securities) for number in range(draw(st.integers(0, 3)))]
        for each in lots:
            held.setdefault((account_id, each.security_id), {})[each.lot_id] = each.quantity
        sales = draw(st.lists(_past_sale(account_id, quantity, securities), max_size=1)) if past and kind == "taxable" else []
        starts.append(account(account_id, lots, account_type=kind, taxpayer_id=taxpayer_id, past_sales=sales))  # type: ignore[arg-type]
    history = History(starts)
    today = 1
    for number in range(draw(st.integers(0, 14))):
        today += draw(st.sampled_from((0, 1, 3, 9, 16, 31)))
        history.trades.append(_trade(draw, f"t{number:02}", day(today), history.trades, held, quantity, securities))
    return history


def _starting(draw: st.DrawFn, account_id: str, number: int, quantity: st.SearchStrategy[Decimal], securities: Sequence[str]) -> Lot:
    acquired = draw(st.sampled_from((None, day(-700), day(-40), day(-30), day(-12), day(0))))
    cost = draw(st.one_of(st.none(), dollars(1, 900)))
    return lot(f"{account_id}-{number}", draw(st.sampled_from(securities)), plain(draw(quantity)), cost, acquired)


def _past_sale(account_id: str, quantity: st.SearchStrategy[Decimal], securities: Sequence[str]) -> st.SearchStrategy[PastSale]:
    return st.builds(
        PastSale,
        st.just(account_id),
        st.sampled_from(securities),
        quantity,
        st.sampled_from((day(-31), day(-20), day(-3))),
        dollars(-300, 50).map(D),
    )


def _trade(
    draw: st.DrawFn,
    trade_id: str,
    on: date,
    earlier: Sequence[TradeBooked],
    held: dict[tuple[str, str], dict[str, Decimal]],
    quantity: st.SearchStrategy[Decimal],
    securities: Sequence[str],
) -> TradeBooked:
    account_id = draw(st.sampled_from(sorted(ACCOUNTS)))
    security_id = draw(st.sampled_from(securities))
    sequence = 1 + sum(1 for trade in earlier if trade.account_id == account_id)
    lots = held.setdefault((account_id, security_id), {})
    last = earlier[-1] if earlier else None
    same_order = (
        last is not None and (last.account_id, last.security_id, last.trade_date) == (account_id, security_id, on) and draw(st.booleans())
    )
    if lots and draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(sorted(lots)), min_size=1, max_size=2, unique=True))
        taken = {name: min(draw(quantity), lots[name]) for name in names}
        for name, part in taken.items():
            lots[name] -= part
            if not lots[name]:
                del lots[name]
        order = last.cl_ord_id if last is not None and same_order and last.side == "sell" else None
        sold = {name: plain(part) for name, part in taken.items()}
        return sell(trade_id, sequence, on, draw(dollars(1, 900)), sold, account_id=account_id, security_id=security_id, order=order)
    bought = draw(quantity)
    lots[f"P-{trade_id}"] = bought
    order = last.cl_ord_id if last is not None and same_order and last.side == "buy" else None
    return buy(trade_id, sequence, on, plain(bought), draw(dollars(1, 900)), account_id=account_id, security_id=security_id, order=order)
