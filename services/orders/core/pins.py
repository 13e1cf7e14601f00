"""Does what a proposal was decided on still stand?

A pin older than what orders holds is stale: refused, since any change must be solved again.  A pin newer than what orders
holds is waited for: the event is on its way.  Pins are looked at until an order is placed and never after: the version
bumps that an account's own fills cause do not stale what remains of its orders.
"""

from decimal import Decimal

from libs.common.schemas.market import RunAccount
from libs.common.schemas.proposal import ProposalCreated
from services.orders.core.decision import Awaited, RefusalCode, Refused, Wait
from services.orders.core.evidence import Evidence, RunFacts, household_order


def stale(pin: str, pinned: object, current: object, where: str) -> Refused:
    """A refusal that names the pin that moved, with both values; `limit` is what was pinned, `actual` what stands now, where they count."""
    limit, actual = (Decimal(value) if isinstance(value, int) else None for value in (pinned, current))
    return Refused(RefusalCode.STALE_PIN, f"{pin} moved: pinned {pinned}, now {current} ({where})", pin, limit, actual)


def moved_run_pin(proposal: ProposalCreated, run: RunFacts, account: RunAccount) -> Refused | None:
    """The date, market and account version must be the run's own."""
    pins, opened = proposal.pins, run.run
    if pins.as_of != opened.as_of:
        return stale("as_of", pins.as_of, opened.as_of, "the run's date")
    if pins.market_id != opened.market_id:
        return stale("market_id", pins.market_id, opened.market_id, "the run's market")
    if pins.account_version != account.account_version:
        return stale("account_version", pins.account_version, account.account_version, "the run's list")
    return None


def moved_version(proposal: ProposalCreated, evidence: Evidence) -> Refused | None:
    """Account, screen and ledger must not have moved on."""
    pins = proposal.pins
    current = (
        ("account_version", pins.account_version, evidence.account),
        ("screen_version", pins.screen_version, evidence.screen),
        ("ledger_version", pins.ledger_version, evidence.ledger),
    )
    for name, pinned, stored in current:
        if stored is not None and stored.version > pinned:
            return stale(name, pinned, stored.version, "the newest seen")
    return None


def moved_solver(proposal: ProposalCreated, evidence: Evidence) -> Refused | None:
    """No other solver must have begun to decide in the run since."""
    pinned, current = proposal.pins.solver_version, evidence.solver_version
    return None if current in (None, pinned) else stale("solver_version", pinned, current, "decides in the run since")


def unseen_trade(proposal: ProposalCreated, evidence: Evidence, account: RunAccount) -> Refused | None:
    """Trades that orders booked and that the book or the ledger of the proposal does not hold yet."""
    booked = evidence.household.booked_seq
    own = booked.get(proposal.account_id, 0)
    if own > account.trade_seq:
        return stale("trade_seq", account.trade_seq, own, "trades booked for the account")
    if evidence.ledger is not None and evidence.ledger.version == proposal.pins.ledger_version:
        for held in evidence.ledger.accounts:
            last = booked.get(held.account_id, 0)
            if last > held.trade_seq:
                return stale("ledger_version", held.trade_seq, last, f"trades of {held.account_id} in it, and booked")
    return None


def moved_pin(proposal: ProposalCreated, evidence: Evidence, run: RunFacts, account: RunAccount) -> Refused | None:
    """The first pin that no longer stands."""
    return (
        moved_run_pin(proposal, run, account)
        or moved_version(proposal, evidence)
        or moved_solver(proposal, evidence)
        or unseen_trade(proposal, evidence, account)
    )


def awaited(proposal: ProposalCreated, evidence: Evidence, run: RunFacts) -> Wait | None:
    """What the proposal rests on and orders has not seen yet."""
    pins, household = proposal.pins, evidence.household
    members = [member.account_id for member in run.households.get(proposal.household_id, [])]
    account, screen, ledger = evidence.account, evidence.screen, evidence.ledger
    waits: tuple[tuple[bool, Awaited, str], ...] = (
        (account is None or account.version < pins.account_version, "account", f"account version {pins.account_version}"),
        (any(member not in household.account_types for member in members), "account", "every account of the household"),
        (screen is None or screen.version < pins.screen_version, "screen", f"screen version {pins.screen_version}"),
        (ledger is None or ledger.version < pins.ledger_version, "ledger", f"ledger version {pins.ledger_version}"),
        (evidence.quotes is None or not evidence.run_market_seen, "market", f"market {pins.market_id}"),
        (any(member not in household.answers for member in pins.intents), "household_proposal", "the earlier accounts' answers"),
    )
    return next((Wait(awaited_from, message) for missing, awaited_from, message in waits if missing), None)


def moved_intent(proposal: ProposalCreated, evidence: Evidence, run: RunFacts) -> Refused | None:
    """Every earlier account of the household must be in the intents, with the answer that orders holds."""
    intents, household = proposal.pins.intents, evidence.household
    in_order = household_order(run, proposal.household_id, household.account_types)
    for account_id in in_order[: in_order.index(proposal.account_id)]:
        if account_id not in intents:
            message = f"{account_id} comes earlier in the household and its intents were not seen"
            return Refused(RefusalCode.HOUSEHOLD_ORDER, message, account_id)
    for account_id, proposal_id in intents.items():
        if household.answers[account_id] != proposal_id:
            return stale("intents", proposal_id, household.answers[account_id], f"the answer of {account_id}")
    return None
