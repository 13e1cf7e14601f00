"""Rules on what an account may trade: screens, weight bounds, the market's blocks, and whether it trades at all."""

from decimal import Decimal

from demo.audit.evidence import Evidence
from demo.audit.legs import Leg
from demo.audit.tally import Tally
from libs.common.money import ZERO
from libs.common.schemas.proposal import ProposalDeclined

ROUNDING_FRAC = Decimal("0.0005")


def may_buy(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No buy where the pinned screen says may_buy false."""
    for leg in legs:
        if leg.is_buy:
            allowed = leg.verdict is None or leg.verdict.may_buy
            tally.check(allowed, leg.order_id, f"{leg.named()}: screen {leg.proposal.pins.screen_version} says may_buy false")


def may_sell(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No sale where the pinned screen says may_sell false."""
    for leg in legs:
        if not leg.is_buy:
            allowed = leg.verdict is None or leg.verdict.may_sell
            tally.check(allowed, leg.order_id, f"{leg.named()}: screen {leg.proposal.pins.screen_version} says may_sell false")


def weight_bounds(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No buy ends above the maximum weight, no unforced sale below the minimum; one share and 5 bp of weight are rounding."""
    for leg in legs:
        verdict = leg.verdict
        if verdict is None or (verdict.max_weight_frac is None and verdict.min_weight_frac is None):
            continue
        value, price = _account_value(leg), leg.order.reference_price
        signed = leg.quantity if leg.is_buy else -leg.quantity
        after = (leg.book.positions.get(leg.security_id, ZERO) + signed) * price / value
        slack = price / value + ROUNDING_FRAC
        if leg.is_buy and verdict.max_weight_frac is not None:
            within = after <= verdict.max_weight_frac + slack
            tally.check(within, leg.order_id, f"{leg.named()}: weight {after:.6f} after, at most {verdict.max_weight_frac}")
        if not leg.is_buy and verdict.min_weight_frac is not None and not verdict.must_sell:
            within = after >= verdict.min_weight_frac - slack
            tally.check(within, leg.order_id, f"{leg.named()}: weight {after:.6f} after, at least {verdict.min_weight_frac}")


def _account_value(leg: Leg) -> Decimal:
    """Dollars of cash and priced lots at the run's prices."""
    value = leg.book.cash
    for security_id, quantity in leg.book.positions.items():
        value += quantity * (leg.prices.price.get(security_id) or ZERO)
    return value


def market_blocks(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No trade in a name that the market blocks (a price jump, no price), and each at the snapshot's price."""
    for leg in legs:
        block, price = leg.prices.blocked.get(leg.security_id, "unknown security"), leg.prices.price.get(leg.security_id)
        tally.check(block is None, leg.order_id, f"{leg.named()}: blocked by {block}")
        pinned = {leg.order.reference_price, leg.trade.price}
        tally.check(pinned == {price}, leg.order_id, f"{leg.named()}: decided at {sorted(pinned)}, the snapshot says {price}")


def tradable(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No trade in an account that is not open, marked do-not-trade, left out of the run, or whose lots disagree with the ledger."""
    for leg in legs:
        state, held = leg.book.state, leg.ledger.accounts.get(leg.account_id)
        reasons = {
            f"state {state.state}": state.state != "open",
            "do_not_trade": state.do_not_trade,
            f"excluded: {leg.member.excluded}": leg.member.excluded is not None,
            "not in the ledger": held is None,
            "lots_disagree": held is not None and bool(held.disagreements),
        }
        found = [reason for reason, present in reasons.items() if present]
        tally.check(not found, leg.order_id, f"{leg.named()}: {', '.join(found)}")


def answered(evidence: Evidence, legs: list[Leg], tally: Tally) -> None:
    """No order for an account that was declined in that run, nor for what orders refused."""
    declined = {(a.run_id, a.account_id): a.code for a in evidence.answers if isinstance(a, ProposalDeclined)}
    refused = {(r.proposal_id, r.security_id): r.code for r in evidence.refused}
    for order in evidence.orders:
        for allocation in order.allocations:
            code = declined.get((order.run_id, allocation.alloc_account))
            for security_id in (None, order.security_id):
                code = code or refused.get((allocation.proposal_id, security_id))
            tally.check(code is None, order.cl_ord_id, f"{allocation.alloc_account} {order.side} {order.security_id}: {code}")
