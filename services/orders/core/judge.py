"""Judges a proposal before anything of it leaves: on arrival, on a person's approval, and once more when its run closes.

Orders refuses, it never re-rounds.  The first refusal in the order below is the answer.

Invariants
1. Nothing is accepted while the kill switch is on, or for a closed run.
2. An accepted proposal's reservations conflict with nothing that the household holds.
3. No accepted sale takes more of a lot than is open and free; no accepted buy lets cash go negative at pinned prices.
4. A proposal pinned to something newer than orders has seen waits; one pinned to something older is refused.
"""

from collections.abc import Callable

from libs.common.money import ZERO
from libs.common.schemas.order import BookedLot
from libs.common.schemas.proposal import ProposalCreated, ProposedTrade
from services.orders.core.decision import Accepted, Decision, RefusalCode, Refused, Wait
from services.orders.core.evidence import Case, Evidence, Policy, RunFacts, lots_in, tax_lots_in
from services.orders.core.means import buy_cost, check_cash, check_lots
from services.orders.core.pins import awaited, moved_intent, moved_pin
from services.orders.core.prices import check_prices
from services.orders.core.reservations import Conflict, Reservation, ReservationKind, reserve
from services.orders.core.rules import check_screen
from services.orders.core.standing import check_account, check_form, check_order_count, check_whole_shares
from services.orders.core.windows import check_windows, may_be_loss_sale

CHECKS: tuple[Callable[[Case], Refused | None], ...] = (
    check_account,
    check_form,
    check_prices,
    check_screen,
    check_whole_shares,
    check_lots,
    check_windows,
    check_cash,
    check_order_count,
)


def judge(proposal: ProposalCreated, evidence: Evidence, policy: Policy) -> Decision:
    """Accepted with its reservations, Refused with the first reason, or Wait for something newer."""
    if evidence.kill_switch:
        return Refused(RefusalCode.KILL_SWITCH, "the kill switch is on")
    if evidence.run is None:
        return Wait("run", f"run {proposal.run_id}")
    gate = gate_refusal(proposal, evidence, evidence.run)
    if gate is not None:
        return gate
    standing = moved_pin(proposal, evidence, evidence.run, evidence.run.accounts[proposal.account_id])
    held_up = standing or awaited(proposal, evidence, evidence.run) or moved_intent(proposal, evidence, evidence.run)
    if held_up is not None:
        return held_up
    case = case_of(proposal, evidence, policy)
    for check in CHECKS:
        refused = check(case)
        if refused is not None:
            return refused
    return hold(case)


def gate_refusal(proposal: ProposalCreated, evidence: Evidence, run: RunFacts) -> Refused | None:
    """Is the run still open, the account in it, and this its first answer?"""
    if run.closed:
        return Refused(RefusalCode.RUN_CLOSED, "the run's blocks are placed")
    member = run.accounts.get(proposal.account_id)
    if member is None or member.household_id != proposal.household_id:
        return Refused(RefusalCode.NOT_IN_RUN, "the run does not list the account in this household")
    if member.excluded is not None:
        return Refused(RefusalCode.NOT_IN_RUN, f"the run excludes the account: {member.excluded}")
    if evidence.prior_proposal_id is not None:
        return Refused(RefusalCode.DUPLICATE, "the account has its answer in this run", evidence.prior_proposal_id)
    return None


def case_of(proposal: ProposalCreated, evidence: Evidence, policy: Policy) -> Case:
    """Put the present evidence together; `awaited` has made sure that nothing is missing."""
    run, account, screen, ledger, quotes = evidence.run, evidence.account, evidence.screen, evidence.ledger, evidence.quotes
    if run is None or account is None or screen is None or ledger is None or quotes is None:
        raise AssertionError("a proposal is judged only when all that it rests on is present")
    traded = {trade.security_id for trade in proposal.trades}
    ledger_account = next((a for a in ledger.accounts if a.account_id == proposal.account_id), None)
    return Case(
        proposal=proposal,
        run=run,
        account=account,
        screen=screen,
        ledger=ledger,
        ledger_account=ledger_account,
        quotes=quotes,
        household=evidence.household,
        open_orders=evidence.open_orders,
        blocks=evidence.blocks,
        policy=policy,
        lots={lot.lot_id: lot for lot in lots_in(account, traded)},
        tax_lots=tax_lots_in(ledger_account, traded),
        verdicts={verdict.security_id: verdict for verdict in screen.verdicts if verdict.security_id in traded},
    )


def reservation_kind(case: Case, trade: ProposedTrade) -> ReservationKind:
    """How the trade binds its identity group in the household."""
    if trade.side == "buy":
        return "buy"
    return "loss_sale" if may_be_loss_sale(case, trade) else "gain_sale"


def reservation_of(case: Case, trade: ProposedTrade) -> Reservation:
    """What one trade holds back in the household."""
    quote = case.quotes.by_security[trade.security_id]
    return Reservation(
        proposal_id=case.proposal.proposal_id,
        run_id=case.proposal.run_id,
        household_id=case.proposal.household_id,
        account_id=case.proposal.account_id,
        security_id=trade.security_id,
        identity_group=quote.identity_group,
        kind=reservation_kind(case, trade),
        lots=[BookedLot(lot.lot_id, lot.quantity) for lot in trade.lots],
        cash=buy_cost(trade, quote, case.policy) if trade.side == "buy" else ZERO,
    )


def hold(case: Case) -> Accepted | Refused:
    """Accept and reserve, unless the household buys what it may sell at a loss."""
    wanted = [reservation_of(case, trade) for trade in case.proposal.trades]
    held = reserve(case.household.reservations, case.proposal.proposal_id, wanted)
    if isinstance(held, Conflict):
        ours, theirs = held.wanted, held.held
        message = f"{ours.kind} of {ours.security_id} against the {theirs.kind} of {theirs.security_id} in {theirs.account_id}"
        return Refused(RefusalCode.RESERVATION_CONFLICT, message, ours.identity_group)
    manual = "manual" in (case.proposal.approval, case.account.approval)
    return Accepted(wanted, "manual" if manual else "auto")
