"""What is wrong with an account file's settings and the owner's limits: the optimizer's own checks, said as faults of the file."""

from collections.abc import Iterator

from services.optimizer.account_file import AccountFile, Fault
from services.optimizer.account_payloads import payloads_of
from services.optimizer.core.decline import Decline
from services.optimizer.core.market import prepare
from services.optimizer.core.plan_rules import rules_fault
from services.optimizer.core.ranges import ranges

ALL_BPS = 10_000
LIMITS_REMEDY = "Spell the target as among the securities or factors, and leave room between the least and the most"


def faults_of_settings(document: AccountFile) -> Iterator[Fault]:
    """In the order of the settings; to be asked of a document whose securities, lots and rates are good."""
    for each in ranges(document):
        if each.problem is not None:
            said = f"{each.value}, {each.problem}" if each.value.is_finite() else str(each.value)
            ends = [f"from {each.least}" if each.least is not None else "", f"to {each.most}" if each.most is not None else ""]
            yield Fault(each.name, f"is {said}", f"Give a number {' '.join(filter(None, ends))}".strip())
    if document.risk_aversion == 0:
        yield Fault("risk_aversion", "is 0", "Give a number above zero: 20 counts one per cent of tracking error as 20 basis points")
    if not 0 <= document.price_collar_bps < ALL_BPS:
        yield Fault("price_collar_bps", f"is {document.price_collar_bps}", "Give basis points of the price, from 0 to below 10000")
    for n, factor in enumerate(document.factors):
        if factor in document.factors[:n]:
            yield Fault(f"factors[{n}]", f"{factor} comes twice", "Give each factor once")
    yield from _of_limits(document)


def _of_limits(document: AccountFile) -> Iterator[Fault]:
    """Bounds that name nothing, or that no account could keep."""
    for n, bound in enumerate(document.limits.weights):
        if bound.least_frac is None and bound.most_frac is None:
            yield Fault(f"limits.weights[{n}]", f"{bound.by} {bound.target}: neither least nor most", "Give least_frac, most_frac or both")
    given = payloads_of(document)
    snapshot = prepare(given.market)
    found = snapshot if isinstance(snapshot, Decline) else rules_fault(given.account, snapshot, snapshot.models[given.account.strategy_id])
    if found is not None:
        place, _, problem = found.message.partition(": " if found.message.startswith("limits.weights:") else ", ")
        numbers = f" ({found.limit} and {found.actual})" if found.limit is not None else ""
        yield Fault(place, f"{problem}{numbers}", LIMITS_REMEDY)
