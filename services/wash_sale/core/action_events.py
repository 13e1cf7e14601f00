"""The market's reorganizations as events of a group's books.

An action comes before everything else of its day.  Shares are in today's shares (`group_facts.py`), so its terms, which are for shares of
its own day, are brought into them by the later splits of each security; dollars a share are for as many of today's shares.

1. A file that is dated on or after the ex-date shows the action: what changes a lot's basis or shares alone is not applied to its lots.
2. A merger is applied to whatever is still in the security that it ended: such a lot does not show it, however late its file.
"""

from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal

from libs.common.money import ZERO
from libs.common.schemas.market import Reorganization
from services.wash_sale.core.household import AccountFacts, StartingLot
from services.wash_sale.core.securities import SecurityFacts
from services.wash_sale.core.tax_events import (
    CashMerger,
    Exchange,
    FractionSold,
    InLieu,
    ReturnOfCapital,
    ShownLots,
    SpinOff,
    TaxEvent,
)

Starting = Collection[tuple[AccountFacts, StartingLot]]


def action_name(action: Reorganization) -> str:
    """How rows and errors call it."""
    return f"{action.kind}/{action.security_id}/{action.ex_date.isoformat()}"


def action_events(
    starting: Starting, accounts: Collection[AccountFacts], securities: SecurityFacts, group: str
) -> Iterator[tuple[int, TaxEvent]]:
    """The events of a group's actions, each with its place among all actions; `accounts` are those that have anything in the group."""
    names = {account.account_id: account.aliases for account in accounts}
    for number, action in enumerate(securities.reorganizations):
        if securities.cluster(action.security_id) == group:
            event = _event(action, shown_lots(starting, action), names, securities)
            if event is not None:
                yield number, event


def shown_lots(starting: Starting, action: Reorganization) -> ShownLots:
    """The lots of the action's security that came with a file that shows the action."""
    return frozenset(
        (account.account_id, account.lot_named(lot.lot_id))
        for account, lot in starting
        if lot.security_id == action.security_id and lot.counted_on >= action.ex_date
    )


def _event(action: Reorganization, shown: ShownLots, names: dict[str, dict[str, str]], securities: SecurityFacts) -> TaxEvent | None:
    name, day, security_id = action_name(action), action.ex_date, action.security_id
    shares = securities.split_factor(security_id, day)
    cash = action.cash_per_share or ZERO
    match action.kind:
        case "spin_off" | "merger":
            return _exchange_or_spin_off(action, shares, shown, names, securities)
        case "cash_merger":
            return CashMerger(name, day, security_id, cash, shares=shares, held=False)
        case "return_of_capital":
            return ReturnOfCapital(name, day, security_id, cash, shares=shares, shown=shown)
        case "cash_in_lieu":
            split = any(each.ex_date == day for each in securities.splits.get(security_id, ()))
            brought = any(_brings(each, security_id, day) for each in securities.reorganizations)
            return FractionSold(day, security_id, InLieu(name, cash, shares), shown) if split and not brought else None


def _exchange_or_spin_off(
    action: Reorganization, shares: Decimal, shown: ShownLots, names: dict[str, dict[str, str]], securities: SecurityFacts
) -> Exchange | SpinOff:
    name, day, new_security, ratio = action_name(action), action.ex_date, action.new_security_id, action.ratio
    assert new_security is not None and ratio is not None, "what brings a security says how many shares of which"
    new_shares = securities.split_factor(new_security, day)
    fraction = next(
        (a for a in securities.reorganizations if (a.security_id, a.ex_date, a.kind) == (new_security, day, "cash_in_lieu")), None
    )
    in_lieu = None if fraction is None else InLieu(action_name(fraction), fraction.cash_per_share or ZERO, new_shares)
    ids, counts = (action.security_id, new_security), (ratio * new_shares, shares)
    if action.kind == "merger":
        cash, price = action.cash_per_share or ZERO, action.new_price
        return Exchange(name, day, *ids, *counts, cash, None, price, None, shares, new_shares, in_lieu)
    values = (action.parent_price or ZERO, (action.new_price or ZERO) * ratio)
    return SpinOff(name, day, *ids, *counts, *values, None, shown, names, in_lieu)


def _brings(action: Reorganization, security_id: str, day: date) -> bool:
    return action.new_security_id == security_id and action.ex_date == day
