"""Each service killed (SIGKILL) at each of its points, and at random ones besides, on a real Kafka and a durable PostgreSQL: nothing is
lost, nothing doubled, and the final book is the undisturbed run's.

The points are in tests/e2e/disturbed/faults.py: before the commit, between commit and publish, in the middle of publishing, between
publish and mark, in a solve, in booking a fill, in taking a file; on the consumer's lanes and on those of HTTP and background work.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from libs.common.schemas.account import AccountChanged
from libs.common.schemas.order import ExecutionReported, OrderPlaced, TradeBooked
from services.desk_simulator.core import decide
from tests.e2e.disturbed.driver import DESK
from tests.e2e.disturbed.faults import POINTS, Planned
from tests.e2e.disturbed.outcome import outcome_of
from tests.e2e.disturbed.runs import Platform, Played, platform_on
from tests.e2e.disturbed.servers import Servers

SEED = 20251215
MOMENTS = ("deciding 1", "trading 1", "deciding 2", "trading 2")


@dataclass
class AtRandom:
    """A point more for each service once its own have happened, and at each moment of a day a process that is killed wherever it is."""

    rng: random.Random = field(default_factory=lambda: random.Random(SEED))
    platform: Platform | None = None
    given: set[str] = field(default_factory=set)

    def one_more(self, name: str) -> list[Planned]:
        if name in self.given:
            return []
        self.given.add(name)
        return [Planned(self.rng.choice(POINTS[name]), self.rng.randint(1, 3))]

    async def kill_one(self) -> None:
        assert self.platform is not None
        self.platform.supervisor.kill(self.rng.choice(sorted(self.platform.supervisor.pids)))


@pytest.fixture(scope="module")
async def killed(new_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The run in which all die."""
    at_random = AtRandom()
    plans = {name: [Planned(point) for point in points] for name, points in POINTS.items()}
    moments = dict.fromkeys(MOMENTS, at_random.kill_one)
    home = tmp_path_factory.mktemp("killed")
    async with platform_on(new_servers, home, plans, at_random.one_more, moments) as at_random.platform:
        return await at_random.platform.play()


def test_every_service_was_killed_at_each_of_its_points_and_besides(killed: Played) -> None:
    assert killed.not_happened == {}
    for name, points in POINTS.items():
        assert killed.happened[name][: len(points)] == list(points)
    assert killed.kills >= sum(map(len, POINTS.values())) + len(MOMENTS)


def test_the_wire_did_repeat_itself(killed: Played, undisturbed: Played) -> None:
    assert undisturbed.repeated == 0 and killed.repeated > 0


def test_no_order_is_lost_and_none_doubled(killed: Played, undisturbed: Played) -> None:
    assert (undisturbed.outcome.doubled, killed.outcome.doubled) == ([], [])
    assert len(undisturbed.outcome.orders) > 100
    assert killed.outcome.orders == undisturbed.outcome.orders


def test_the_desk_traded_each_order_once(killed: Played) -> None:
    placed = [payload for _, payload in killed.said if isinstance(payload, OrderPlaced)]
    reported = {payload.exec_id: payload for _, payload in killed.said if isinstance(payload, ExecutionReported)}
    assert reported == {report.exec_id: report for order in placed for report in decide(order, DESK)}


def test_each_execution_is_booked_once(killed: Played) -> None:
    filled = {
        e.exec_id: e.last_qty for _, e in killed.said if isinstance(e, ExecutionReported) and e.last_qty and e.exec_type != "trade_cancel"
    }
    booked = {exec_id: Decimal(shares) for exec_id, shares in killed.outcome.parts["booked"].items()}
    assert booked == filled


def test_nothing_became_unreadable(killed: Played) -> None:
    assert killed.dead_letters == 0


def test_the_final_book_is_the_undisturbed_runs(killed: Played, undisturbed: Played) -> None:
    assert killed.outcome.differences(undisturbed.outcome) == []


def _without_last(said: list[Any], kind: type[Struct]) -> list[Any]:
    last = max(number for number, (_, payload) in enumerate(said) if isinstance(payload, kind))
    return said[:last] + said[last + 1 :]


def _with_last(said: list[Any], kind: type[Struct], change: Callable[[Any], Struct]) -> list[Any]:
    last = max(number for number, (_, payload) in enumerate(said) if isinstance(payload, kind))
    event, payload = said[last]
    return [*said[:last], (event, change(payload)), *said[last + 1 :]]


WRONG: dict[str, Callable[[list[Any]], list[Any]]] = {
    "an order lost": lambda said: _without_last(said, OrderPlaced),
    "an order of one share more": lambda said: _with_last(said, OrderPlaced, lambda o: replace(o, order_qty=o.order_qty + 1)),
    "an order twice": lambda said: [*said, next(each for each in said if isinstance(each[1], OrderPlaced))],
    "a trade lost": lambda said: _without_last(said, TradeBooked),
    "an execution booked twice": lambda said: [*said, (None, replace(_last(said, TradeBooked), trade_id="another"))],
    "a trade on another day": lambda said: _with_last(said, TradeBooked, lambda t: replace(t, trade_date=t.settle_date)),
    "a cent of cash": lambda said: _with_last(said, AccountChanged, lambda a: replace(a, cash_settled=a.cash_settled + Decimal("0.01"))),
    "a lot": lambda said: _with_last(said, AccountChanged, lambda a: replace(a, lots=replace(a.lots, lot_id=["x", *a.lots.lot_id[1:]]))),
}


def _last(said: list[Any], kind: type[Struct]) -> Any:
    return [payload for _, payload in said if isinstance(payload, kind)][-1]


@pytest.mark.parametrize("wrong", WRONG)
def test_the_comparison_notices(wrong: str, undisturbed: Played) -> None:
    outcome = outcome_of(WRONG[wrong](undisturbed.said))
    assert outcome.doubled or outcome.differences(undisturbed.outcome)


def test_the_comparison_of_a_run_with_itself_finds_nothing(undisturbed: Played) -> None:
    assert outcome_of(undisturbed.said).differences(undisturbed.outcome) == []
