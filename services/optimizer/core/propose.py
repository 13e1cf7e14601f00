"""The optimizer's one entry: from the payloads of one account to its proposal, or to the reason why there is none.

Pure and deterministic: same payloads, same bytes.  Solves are single-threaded and without time limits, and every number is quantised
before it is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from math import sqrt

import msgspec
from msgspec import structs

from libs.common.ids import content_id
from libs.common.money import ZERO
from libs.common.schemas.account import AccountChanged
from libs.common.schemas.ledger import LedgerUpdated
from libs.common.schemas.market import MarketPublished, RunOpened
from libs.common.schemas.proposal import Certificate, LossesLeft, Pins, ProposalCreated, ProposalDeclined, Unmet
from libs.common.schemas.screen import ScreenUpdated
from services.optimizer.core.branch import Plan
from services.optimizer.core.build import build_problem
from services.optimizer.core.certificate import certificate_of
from services.optimizer.core.chain import LIMITS_KEPT, SOLVER_VERSION
from services.optimizer.core.conflict import less_cash, relaxations
from services.optimizer.core.decline import Decline, DeclineCode
from services.optimizer.core.dual_programme import TRADES, TURNOVER
from services.optimizer.core.evaluate import Value, active_weights, evaluate, no_trade, variance
from services.optimizer.core.explain import give_reasons, unmet_wishes
from services.optimizer.core.inputs import Case, join
from services.optimizer.core.kept import excess
from services.optimizer.core.limits import cash_band
from services.optimizer.core.losses_left import limited, losses_left
from services.optimizer.core.market import Snapshot, prepare
from services.optimizer.core.plan_followed import as_planned, progress_of
from services.optimizer.core.planned import Planned, largest_wanted, plan_of
from services.optimizer.core.policy import DEFAULT_POLICY, Policy
from services.optimizer.core.problem import NO_LIMIT, Problem
from services.optimizer.core.programme import dominance
from services.optimizer.core.shadow import bindings
from services.optimizer.core.small_trades import least_trade
from services.optimizer.core.trades import Drafts, draft_trades, estimate_tax
from services.optimizer.core.verify import broken_rule
from services.optimizer.core.warm import LastDecision, start_id

BPS = 1e4
TE_STEP = Decimal("1e-8")
FEWEST_DIGITS = 1e-6
BPS_STEP = Decimal("0.001")


def propose(
    account: AccountChanged,
    screen: ScreenUpdated,
    ledger: LedgerUpdated,
    market: MarketPublished,
    run: RunOpened,
    earlier: Sequence[ProposalCreated | ProposalDeclined],
    last: LastDecision | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> ProposalCreated | ProposalDeclined:
    """Decide what to trade in `account` in `run`.

    `earlier` are the decisions of the household's accounts that come before this one, and what they still have open from other runs;
    `last` is the account's own decision in the run before, from which the solve starts.
    """
    return propose_on(account, screen, ledger, prepare(market), run, earlier, last, policy)


def propose_on(
    account: AccountChanged,
    screen: ScreenUpdated,
    ledger: LedgerUpdated,
    snapshot: Snapshot | Decline,
    run: RunOpened,
    earlier: Sequence[ProposalCreated | ProposalDeclined],
    last: LastDecision | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> ProposalCreated | ProposalDeclined:
    """As `propose`, on a market that was prepared once for many accounts."""
    pins = pins_of(account, screen, ledger, run, earlier, last)
    account = as_planned(account, run.as_of)
    case = snapshot if isinstance(snapshot, Decline) else join(account, screen, ledger, snapshot, run, earlier, policy)
    if isinstance(case, Decline):
        return declined(account.account_id, account.household_id, run.run_id, pins, case)
    decided = _decide(case, pins, {} if last is None else last.multipliers, policy)
    return decided if account.transition is None else structs.replace(decided, progress=progress_of(case, decided))


def pins_of(
    account: AccountChanged,
    screen: ScreenUpdated,
    ledger: LedgerUpdated,
    run: RunOpened,
    earlier: Sequence[ProposalCreated | ProposalDeclined],
    last: LastDecision | None = None,
) -> Pins:
    """The versions and ids of everything that a decision rests on."""
    intents = {each.account_id: each.proposal_id for each in earlier if each.run_id == run.run_id}
    return Pins(
        account_version=account.version,
        screen_version=screen.version,
        ledger_version=ledger.version,
        market_id=run.market_id,
        as_of=run.as_of,
        intents=dict(sorted(intents.items())),
        solver_version=SOLVER_VERSION,
        start=start_id(last),
    )


def declined(
    account_id: str,
    household_id: str,
    run_id: str,
    pins: Pins | None,
    decline: Decline,
    unmet: Sequence[Unmet] = (),
    te: Decimal | None = None,
    certificate: Certificate | None = None,
    left: Sequence[LossesLeft] = (),
) -> ProposalDeclined:
    """The event that says why an account gets no trades."""
    return ProposalDeclined(
        proposal_id=proposal_id_of(run_id, account_id, pins),
        run_id=run_id,
        account_id=account_id,
        household_id=household_id,
        pins=pins,
        outcome=decline.outcome,
        code=decline.code.value,
        message=decline.message,
        limit=decline.limit,
        actual=decline.actual,
        unmet=list(unmet),
        te_before_frac=te,
        certificate=certificate,
        relaxations=[*less_cash(decline), *decline.relaxations],
        losses_left=list(left),
    )


def proposal_id_of(run_id: str, account_id: str, pins: Pins | None) -> str:
    """An id of what was decided on: the same pins give the same id."""
    return content_id("proposal", run_id, account_id, "" if pins is None else msgspec.json.encode(pins).decode())


def _decide(case: Case, pins: Pins, start: Mapping[str, float], policy: Policy) -> ProposalCreated | ProposalDeclined:
    """Solve, round, explain, and check; every path ends in a proposal or a decline."""
    problem = build_problem(case, policy, start)
    te_before = _te(problem, no_trade(problem))
    solved = plan_of(case, problem, policy)
    account = case.account
    who = account.account_id, account.household_id, case.run.run_id, pins
    if isinstance(solved, Decline):
        made = declined(*who, solved, te=te_before)
        if solved.code is DeclineCode.LIMITS_CONFLICT and solved.actual is None:
            smallest = least_trade(problem, float(account.min_trade))
            return structs.replace(made, relaxations=relaxations(problem, dominance(problem), smallest))
        return made
    proposal, drafts = _proposal(case, problem, solved, pins, te_before, policy)
    decline = _worth_it(case, problem, solved, proposal, policy)
    if decline is None:
        return proposal
    left = losses_left(case, None, limited(proposal.binding), policy.harvest, drafts)
    made = declined(*who, decline, proposal.unmet, te_before, proposal.certificate, left)
    return structs.replace(made, multipliers=proposal.multipliers)


def _te(problem: Problem, plan: Plan) -> Decimal:
    """Tracking error ex ante, as a fraction; a decimal below a millionth would be written with an exponent."""
    te = sqrt(variance(problem, active_weights(problem, plan)))
    return Decimal(repr(te)).quantize(TE_STEP if te >= FEWEST_DIGITS else Decimal("1e-6"))


def _proposal(
    case: Case, problem: Problem, solved: Planned, pins: Pins, te_before: Decimal, policy: Policy
) -> tuple[ProposalCreated, Drafts]:
    """The proposal, and the drafts that its trades are of."""
    drafts = draft_trades(case, problem, solved.shares)
    multipliers = solved.found.chosen.answer.multipliers
    tax = estimate_tax(case, drafts)
    cash_before = case.account.cash_settled + case.account.cash_unsettled
    cash_after = cash_before + sum(drafts.cash, ZERO)
    trades = give_reasons(case, problem, drafts, solved.weights)
    unmet = unmet_wishes(case, problem, drafts, multipliers, cash_after)
    binding = bindings(case, problem, multipliers, tax, cash_after, solved.weights, unmet)
    proposal = ProposalCreated(
        proposal_id=proposal_id_of(case.run.run_id, case.account.account_id, pins),
        run_id=case.run.run_id,
        account_id=case.account.account_id,
        household_id=case.account.household_id,
        pins=pins,
        approval=case.account.approval,
        account_value=case.value_usd,
        trades=trades,
        unmet=unmet,
        binding=binding,
        te_before_frac=te_before,
        te_after_frac=_te(problem, solved.weights),
        tax=tax,
        cost=sum(drafts.cost, ZERO),
        cash_before=cash_before,
        cash_after=cash_after,
        solve_status=solved.found.state.value,
        certificate=certificate_of(case, problem, solved.found, solved.weights),
        losses_left=losses_left(case, drafts, limited(binding), policy.harvest),
        taxpayer_id=case.account.taxpayer_id,
        multipliers=dict(solved.found.multipliers),
    )
    return proposal, drafts


def _worth_it(case: Case, problem: Problem, solved: Planned, proposal: ProposalCreated, policy: Policy) -> Decline | None:
    """Why the proposal should not be made; None where it should."""
    band = cash_band(case)
    if proposal.cash_after < 0 or (not proposal.trades and band.before < min(band.least, case.withdrawal_usd)):
        return Decline(DeclineCode.CASH_SHORT, "dollars of cash needed and reached", max(case.withdrawal_usd, ZERO), proposal.cash_after)
    if not proposal.trades:
        return _nothing_left(case, problem, policy)
    fault = broken_rule(case, proposal)
    if fault is not None:
        return _beyond_settled_cash(case, problem, proposal) or Decline(DeclineCode.PLAN_NOT_VERIFIED, fault)
    if _pressed(case, problem, solved):
        return None
    before, after = evaluate(problem, no_trade(problem)), evaluate(problem, solved.weights)
    gain, needed = _gain_bps(before, after), after.cost * BPS + policy.no_trade_margin_bps
    if gain >= needed:
        return None
    message = "gain in risk and tax against cost and margin, in basis points of invested value"
    return Decline(DeclineCode.GAIN_BELOW_COST, message, _bps(needed), _bps(gain))


def _beyond_settled_cash(case: Case, problem: Problem, proposal: ProposalCreated) -> Decline | None:
    """Why a plan spends cash that is not settled yet, where limits that are broken now ask for its purchases."""
    settled = case.account.cash_settled + min(case.account.cash_unsettled, ZERO)
    spent = proposal.cash_before - proposal.cash_after
    if spent <= settled or not excess(problem, no_trade(problem)).beyond(LIMITS_KEPT):
        return None
    message = "dollars of settled cash, and what purchases that the account's limits ask for would take of it"
    return Decline(DeclineCode.LIMITS_CONFLICT, message, settled, spent)


def _nothing_left(case: Case, problem: Problem, policy: Policy) -> Decline:
    """Forbidden by the owner's limits, at target, or with wishes too small to trade."""
    forbidden = _forbidden(problem, policy)
    if forbidden is not None:
        return forbidden
    largest = Decimal(repr(largest_wanted(problem, policy) * problem.invested_usd)).quantize(Decimal("0.01"))
    if largest < 1:
        return Decline(DeclineCode.AT_TARGET, "no trade improves the account")
    return Decline(
        DeclineCode.BELOW_MIN_TRADE, "dollars of the smallest trade allowed, and of the largest wanted", case.account.min_trade, largest
    )


def _forbidden(problem: Problem, policy: Policy) -> Decline | None:
    """The limit that lets nothing be traded, and the dollars of the largest trade wanted without it; None where there is none."""
    rules = problem.rules
    free = replace(problem, rules=replace(rules, trades=None if rules.trades == 0 else rules.trades, turnover=rules.turnover or NO_LIMIT))
    names = [name for name, limit in ((TRADES, rules.trades), (TURNOVER, rules.turnover)) if limit == 0]
    wanted = largest_wanted(free, policy) * problem.invested_usd if names else 0.0
    if wanted < 1:
        return None
    message = f"limits.{names[0]} allows no trade; dollars of the largest wanted"
    return Decline(DeclineCode.LIMIT_FORBIDS, message, ZERO, Decimal(repr(wanted)).quantize(Decimal("0.01")))


def _pressed(case: Case, problem: Problem, solved: Planned) -> bool:
    """Whether something has to be done whatever it gains: a must-sell, too heavy a name, a limit that is broken now, or cash well
    outside its band."""
    if excess(problem, no_trade(problem)).beyond(LIMITS_KEPT):
        return True
    sold = solved.weights.sold > 0
    band = cash_band(case)
    outside = band.before < band.least or band.before - band.most >= max(case.account.min_trade, Decimal(1))
    return outside or bool((sold & problem.must_sell).any()) or bool((problem.held > problem.weight_max)[problem.name[sold]].any())


def _gain_bps(before: Value, after: Value) -> float:
    return BPS * (before.risk + before.tax - after.risk - after.tax)


def _bps(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(BPS_STEP)
