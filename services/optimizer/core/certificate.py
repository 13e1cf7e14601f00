"""How far a decision is from the best possible, in basis points of account value.

Invariants
1. objective = lower bound + gap + whole shares.
2. The objectives are `evaluate.py`'s, which shares nothing with the dual method.
"""

from decimal import Decimal

from libs.common.money import float_from_decimal
from libs.common.schemas.proposal import Certificate
from services.optimizer.core.branch import Plan
from services.optimizer.core.chain import Solution
from services.optimizer.core.evaluate import evaluate
from services.optimizer.core.inputs import Case
from services.optimizer.core.problem import Problem

BPS = 1e4
STEP = Decimal("0.0001")


def certificate_of(case: Case, problem: Problem, found: Solution, decided: Plan) -> Certificate:
    """The certificate of `decided`, the plan in whole shares, that `found` in fractional shares led to.

    Soft rules that no plan could keep are left out of objective and bound alike, so that both count risk, tax and cost alone.
    """
    scale = BPS * problem.invested_usd / float_from_decimal(case.value_usd)
    fractional = evaluate(problem, found.chosen.answer.plan).objective
    gap, objective = _bps(scale * found.gap), _bps(scale * evaluate(problem, decided).objective)
    whole_shares = objective - _bps(scale * fractional)
    return Certificate(objective, objective - whole_shares - gap, gap, whole_shares, found.method.value, found.nodes, found.newton_steps)


def _bps(value: float) -> Decimal:
    return Decimal(repr(value)).quantize(STEP)
