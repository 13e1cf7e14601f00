"""Random proposals: trades that look sensible on what was said last, and wild ones that break some rule."""

from decimal import Decimal
from random import Random

from msgspec.structs import replace

from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.proposal import LotInstruction, Pins, ProposalCreated, ProposedTrade
from tests.integration.interleavings.household import Account, Household
from tests.integration.interleavings.market import NAMES, price_in
from tests.unit.orders.samples import proposal

D = Decimal


def sale(rng: Random, account: Account, security_id: str, price: Decimal, wild: bool) -> ProposedTrade | None:
    """Some lots of a security, in any order, each in part or whole; a wild one may ask for more than there is."""
    newest = account.said[-1]
    lots = [lot for lot in newest.lots.rows() if lot.security_id == security_id]
    if not lots:
        return None
    rng.shuffle(lots)
    taken = []
    if rng.random() < 0.3:
        taken = [LotInstruction(lot.lot_id, lot.quantity, "long", None) for lot in lots]
    else:
        for lot in lots[: rng.randint(1, 2)]:
            most = int(lot.quantity) + (15 if wild and rng.random() < 0.4 else 0)
            if most:
                taken.append(LotInstruction(lot.lot_id, D(rng.randint(1, most)), "long", None))
    if not taken:
        return None
    return ProposedTrade(security_id, "sell", sum((lot.quantity for lot in taken), D(0)), price, "drift", taken, D(0), D(0))


def buy(rng: Random, security_id: str, price: Decimal, wild: bool) -> ProposedTrade:
    most = 60 if wild and rng.random() < 0.3 else 6
    return ProposedTrade(security_id, "buy", D(rng.randint(1, most)), price, "drift", [], D(0), D(0))


def trades(rng: Random, household: Household, account: Account, market: MarketPublished, wild: bool) -> list[ProposedTrade]:
    """One to three trades in different names."""
    found = []
    windows = household.ledgers[-1].blocked_buys
    blocked = {name for window in windows for name in window.security_ids}
    blocked |= {verdict.security_id for verdict in account.screens[-1].verdicts if not verdict.may_buy}
    for security_id in rng.sample(NAMES, rng.randint(1, 3)):
        price = price_in(market, security_id)
        if rng.random() < 0.5:
            one = sale(rng, account, security_id, price, wild)
        else:
            one = buy(rng, security_id, price, wild) if wild or security_id not in blocked else None
        if one is not None:
            found.append(one)
    return found or [buy(rng, "BBB", price_in(market, "BBB"), wild)]


def propose(
    rng: Random, household: Household, account: Account, run: RunOpened, market: MarketPublished, answers: dict[str, str]
) -> ProposalCreated:
    """A proposal on what was said last, now and then on something older; `answers` are those of the household so far."""
    wild = rng.random() < 0.45
    order = household.in_order()
    earlier = order[: order.index(account)]
    listed = next(one for one in run.accounts if one.account_id == account.account_id)
    pins = Pins(
        listed.account_version,
        len(account.screens) - (rng.random() < 0.05 and len(account.screens) > 1),
        len(household.ledgers) - (rng.random() < 0.05 and len(household.ledgers) > 1),
        run.market_id,
        run.as_of,
        {one.account_id: answers[one.account_id] for one in earlier if one.account_id in answers},
        "solver-1",
    )
    proposal_id = f"{run.run_id}-{account.account_id}-{rng.randint(0, 99)}"
    asked = proposal(*trades(rng, household, account, market, wild), proposal_id=proposal_id, account_id=account.account_id, pins=pins)
    approval = "manual" if rng.random() < 0.15 else "auto"
    return replace(asked, run_id=run.run_id, household_id=household.household_id, approval=approval)
