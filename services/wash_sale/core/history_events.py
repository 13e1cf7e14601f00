"""The transactions of a history file as events of the ledger.

Beside the actions of section 11 there are dated corporate actions: spin_off, merger (with or without cash), cash_merger,
return_of_capital, cash_in_lieu.  What the platform does not decide (options, short sales, fund rules) is refused by name.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import cast

from libs.common.money import ZERO
from services.wash_sale.core.history_fields import BadField, Fields
from services.wash_sale.core.lots import How, Layer
from services.wash_sale.core.received import gift_basis, inherited_basis
from services.wash_sale.core.refusals import RefusalCode
from services.wash_sale.core.settlement import identification_deadline
from services.wash_sale.core.tax_events import (
    CashMerger,
    Exchange,
    Fill,
    GiftOut,
    LotIn,
    LotMethod,
    LotPart,
    ReturnOfCapital,
    Sale,
    SpinOff,
    Split,
    TaxEvent,
    Transfer,
)

METHODS = ("fifo", "specific_id", "average", "lifo", "hifo")
ACQUISITIONS = ("buy", "taxable_exchange_in", "reinvested_dividend", "stock_award", "taxable_distribution_in_kind")
OUTSIDE = (
    "option",
    "call",
    "put",
    "short",
    "cover",
    "warrant",
    "rights",
    "future",
    "capital_gain_dist",
    "exempt_interest",
    "constructive",
    "exercise",
    "assign",
    "straddle",
    "to_open",
    "to_close",
)
"""Words in the names of what the platform does not decide (sections 1.14, 2 and 3.9)."""


def name_of(raw: object, number: int) -> str:
    """How errors call a transaction."""
    if not isinstance(raw, dict):
        return f"transactions[{number}]"
    own = raw.get("sale_id") or raw.get("lot_id") or raw.get("event_id") or ""
    return f"seq {raw.get('seq', number + 1)} {raw.get('action', '')} {own}".replace("  ", " ").rstrip()


def read_event(fields: Fields, method: str, event_id: str) -> TaxEvent:
    """One transaction; raises BadField where it can't be taken."""
    action = fields.text("action")
    reader = READERS.get(action)
    if reader is None:
        outside = is_outside(action)
        code = RefusalCode.OUTSIDE_THE_PLATFORM if outside else RefusalCode.UNKNOWN_ACTION
        reason = "options, short sales and fund rules are outside the platform" if outside else f"known are {', '.join(sorted(READERS))}"
        raise fields.bad(code, "action", f"{action!r}: {reason}")
    return reader(fields, fields.day("date"), method, event_id)


def is_outside(name: str) -> bool:
    """Whether the name of an action, or of a kind of security, says that the platform does not decide it."""
    return any(word in name.lower() for word in OUTSIDE)


def _bought(fields: Fields, day: date, method: str, event_id: str) -> LotIn:
    layer = _layer(fields, day, fields.dollars("cost"), day, "purchase")
    return LotIn(event_id, day, layer, acquisition=True)


def _layer(fields: Fields, day: date, cost: Decimal | None, held_since: date | None, how: How) -> Layer:
    account_id, lot_id, security_id = fields.text("account"), fields.text("lot_id"), fields.text("security")
    purchase_id = fields.text("order_id") if fields.has("order_id") else f"{security_id}/{lot_id}"
    quantity = fields.positive("quantity")
    return Layer(account_id, lot_id, f"{account_id}/{purchase_id}", security_id, quantity, cost, day, held_since, how=how)


def _given(fields: Fields, day: date, method: str, event_id: str) -> LotIn:
    """A gift: the donor's basis and period, and a second basis for a loss where it was worth less (sections 3.3, 4.2)."""
    from_donor, value = fields.dollars_or_none("donor_basis"), fields.dollars("fmv")
    layer = _layer(fields, day, from_donor, _donors_day(fields, day), "gift")
    if from_donor is not None:
        basis = gift_basis(from_donor, value, fields.dollars_or_none("gift_tax_on_appreciation") or ZERO)
        dual = basis.for_loss < basis.for_gain
        layer = Layer(
            layer.account_id,
            layer.lot_id,
            layer.purchase_id,
            layer.security_id,
            layer.quantity,
            basis.for_gain,
            day,
            layer.held_since,
            how="gift",
            loss_cost=basis.for_loss if dual else None,
            loss_since=day if dual else None,
        )
    return LotIn(event_id, day, layer, acquisition=False)


def _donors_day(fields: Fields, given: date) -> date | None:
    """When the donor had acquired the shares: not after giving them away."""
    acquired = fields.day_or_none("donor_acquired")
    if acquired is not None and acquired > given:
        raise fields.bad(RefusalCode.NOT_A_DATE, "donor_acquired", f"{acquired} is after the gift of {given}")
    return acquired


def _from_spouse(fields: Fields, day: date, method: str, event_id: str) -> LotIn:
    """A transfer from a spouse: basis and period carry over, never a second basis (section 3.5)."""
    layer = _layer(fields, day, fields.dollars_or_none("donor_basis"), _donors_day(fields, day), "spouse")
    return LotIn(event_id, day, layer, acquisition=False)


def _inherited(fields: Fields, day: date, method: str, event_id: str) -> LotIn:
    """Value at death (or on the alternate date), unless the heir had given it, appreciated, within a year (section 4.3)."""
    value = fields.dollars("alternate_fmv") if fields.has("alternate_fmv") else fields.dollars("fmv")
    given = fields.day_or_none("given_by_heir_on")
    if given is not None:
        value = inherited_basis(value, fields.dollars("decedent_basis"), (day - given).days <= 365, appreciated_when_given=True)
    return LotIn(event_id, day, _layer(fields, day, value, day, "inheritance"), acquisition=False)


def _sold(fields: Fields, day: date, method: str, event_id: str) -> Sale:
    settles = fields.day_or_none("settle_date")
    if settles is not None and settles < day:
        raise fields.bad(RefusalCode.NOT_A_DATE, "settle_date", f"{settles} is before the trade of {day}")
    lots, how = _identified(fields, day, settles, fields.choice("lot_method", METHODS, method))
    sale_id = fields.text("sale_id") if fields.has("sale_id") else event_id
    account_id, security_id = fields.text("account"), fields.text("security")
    fill = Fill(sale_id, account_id, security_id, fields.positive("quantity"), fields.dollars("proceeds"), lots, how)
    return Sale(sale_id, day, (fill,))


def _identified(fields: Fields, day: date, settles: date | None, method: str) -> tuple[tuple[LotPart, ...] | None, LotMethod]:
    """The lots that were named in time, or the method; without either the oldest (section 5)."""
    lots = _named(fields)
    if fields.has("identification"):
        named = Fields(fields.raw["identification"], fields.event)
        made_on = named.day_or_none("made_on")
        in_time = made_on is None or made_on <= identification_deadline(day, settles)
        if not in_time or named.raw.get("confirmed") is False:  # a broker's confirmation is part of it
            return None, "fifo"
        lots = lots or named.lots("lots")
        method = named.choice("method", METHODS, method)
    return lots, "fifo" if method == "specific_id" else cast(LotMethod, method)


def _named(fields: Fields) -> tuple[LotPart, ...] | None:
    """The lots that are to leave: `lots`, or all of the quantity from the lot that `lot_id` names."""
    lots = fields.lots("lots")
    if lots is None and fields.has("lot_id"):
        return (LotPart(fields.text("lot_id"), fields.positive("quantity")),)
    return lots


def _gave(fields: Fields, day: date, method: str, event_id: str) -> GiftOut:
    """A gift; `fmv` and `donee` ("public_charity") make it a donation that the tax year deducts."""
    donee = fields.text("donee") if fields.has("donee") else None
    account_id, security_id, quantity = fields.text("account"), fields.text("security"), fields.positive("quantity")
    return GiftOut(event_id, day, account_id, security_id, quantity, _named(fields), fields.dollars_or_none("fmv"), donee)


def _moved(fields: Fields, day: date, method: str, event_id: str) -> Transfer:
    quantity, lots = fields.positive("quantity"), _named(fields)
    source, target = fields.text("from_account"), fields.text("to_account")
    return Transfer(event_id, day, fields.text("security"), quantity, source, target, lots)


def _account(fields: Fields) -> str | None:
    return fields.text("account") if fields.has("account") else None


def _split(fields: Fields, day: date, method: str, event_id: str) -> Split:
    return Split(event_id, day, fields.text("security"), *fields.ratio("ratio"), _account(fields))


def _stock_dividend(fields: Fields, day: date, method: str, event_id: str) -> Split:
    new, old = fields.ratio("new_per_old")
    return Split(event_id, day, fields.text("security"), old + new, old, _account(fields))


def _spun_off(fields: Fields, day: date, method: str, event_id: str) -> SpinOff:
    """Basis by value: `parent_price` and `spun_price` after the distribution, or `basis_frac` of the new shares as the issuer says."""
    new, old = fields.ratio("new_per_old")
    if fields.has("basis_frac"):
        frac = fields.price("basis_frac")
        if frac > 1:
            raise fields.bad(RefusalCode.NOT_READABLE, "basis_frac", f"{frac} is more than all")
        kept, spun = 1 - frac, frac
    else:
        kept, spun = fields.price("parent_price") * old, fields.price("spun_price") * new
    return SpinOff(event_id, day, fields.text("security"), fields.text("new_security"), new, old, kept, spun, _account(fields))


def _merged(fields: Fields, day: date, method: str, event_id: str) -> Exchange:
    new_price = fields.price("new_price") if fields.has("new_price") else None
    cash = fields.dollars("cash") if fields.has("cash") else None
    if (cash or fields.price_or_zero("cash_per_share")) and new_price is None:
        raise fields.bad(RefusalCode.MISSING, "new_price", "the successor's price is needed where there is cash")
    if cash is not None and not fields.has("account"):
        raise fields.bad(RefusalCode.MISSING, "account", "cash in all is one account's; use cash_per_share for every account")
    new, old = fields.ratio("ratio")
    names = fields.text("security"), fields.text("new_security")
    return Exchange(event_id, day, *names, new, old, fields.price_or_zero("cash_per_share"), cash, new_price, _account(fields))


def _merged_for_cash(fields: Fields, day: date, method: str, event_id: str) -> CashMerger:
    return CashMerger(_sale_name(fields, event_id), day, fields.text("security"), *_dollars_of(fields, "cash"), _account(fields))


def _sale_name(fields: Fields, event_id: str) -> str:
    return fields.text("sale_id") if fields.has("sale_id") else event_id


def _dollars_of(fields: Fields, whole: str) -> tuple[Decimal, Decimal | None]:
    """Dollars a share, or in all of one account."""
    if fields.has(whole):
        if not fields.has("account"):
            raise fields.bad(RefusalCode.MISSING, "account", "dollars in all are one account's; use per-share dollars for every account")
        return ZERO, fields.dollars(whole)
    return fields.price("per_share" if fields.has("per_share") else "cash_per_share"), None


def _returned(fields: Fields, day: date, method: str, event_id: str) -> ReturnOfCapital:
    return ReturnOfCapital(_sale_name(fields, event_id), day, fields.text("security"), *_dollars_of(fields, "amount"), _account(fields))


Reader = Callable[[Fields, date, str, str], TaxEvent]
READERS: dict[str, Reader] = {
    **dict.fromkeys(ACQUISITIONS, cast(Reader, _bought)),
    "gift_in": _given,
    "spouse_transfer_in": _from_spouse,
    "inherit": _inherited,
    "sell": _sold,
    "cash_in_lieu": _sold,
    "gift_out": _gave,
    "transfer": _moved,
    "split": _split,
    "stock_dividend": _stock_dividend,
    "spin_off": _spun_off,
    "merger": _merged,
    "cash_merger": _merged_for_cash,
    "return_of_capital": _returned,
}

__all__ = ["READERS", "BadField", "name_of", "read_event"]
