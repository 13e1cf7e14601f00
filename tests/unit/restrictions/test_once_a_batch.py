"""What a batch loads together, and which event has to look again."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.common.unit import Batch, Unit
from services.restrictions import once_a_batch, store
from services.restrictions.core.household import AccountState, HouseholdState
from tests.unit.restrictions.samples import account_changed

NOW = datetime(2025, 12, 15, 12, tzinfo=UTC)


class Tables:
    """Households as they stand, and what was asked of them."""

    def __init__(self, **household_of: str) -> None:
        self.household_of = household_of
        self.asked: list[dict[str, list[str]]] = []

    async def share(self, connection: Any) -> None:
        """The lock is free."""

    async def load_households(self, connection: Any, wanted: Mapping[str, Collection[str]]) -> dict[str, HouseholdState]:
        self.asked.append({household_id: sorted(named) for household_id, named in wanted.items()})
        return {household_id: self.state(household_id, named) for household_id, named in wanted.items()}

    def state(self, household_id: str, named: Collection[str]) -> HouseholdState:
        inside = [name for name, where in sorted(self.household_of.items()) if where == household_id or name in named]
        return HouseholdState(household_id, {name: AccountState(name, self.household_of[name], 1, [], {}) for name in inside}, {}, {})


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Tables:
    found = Tables(A1="H1", A2="H1", B1="H2", C1="H3")
    monkeypatch.setattr(store, "load_households", found.load_households)
    monkeypatch.setattr(store, "share", found.share)
    return found


def unit_of(batch: Batch) -> Unit:
    return Unit(None, "restrictions", NOW, "restrictions", batch=batch)


async def test_households_are_loaded_together_and_a_second_account_of_one_looks_again(tables: Tables) -> None:
    batch = Batch()
    events = [account_changed("A1", "H1"), account_changed("B1", "H2"), account_changed("A2", "H1")]
    await once_a_batch.load_households(unit_of(batch), events)
    assert tables.asked == [{"H1": ["A1"], "H2": ["B1"]}]

    states = [await once_a_batch.household_with(unit_of(batch), event) for event in events]

    assert [sorted(state.accounts) for state in states] == [["A1", "A2"], ["B1"], ["A1", "A2"]]
    assert tables.asked[1:] == [{"H1": ["A2"]}]  # what the first account of H1 changed is in the tables by then


async def test_a_household_that_an_account_leaves_is_looked_at_again(tables: Tables) -> None:
    batch = Batch()
    comes, stays = account_changed("A2", "H3", version=2), account_changed("A1", "H1", version=2)
    await once_a_batch.load_households(unit_of(batch), [comes, stays])
    assert (await once_a_batch.household_with(unit_of(batch), comes)).accounts["A2"].household_id == "H1"

    tables.household_of["A2"] = "H3"

    assert list((await once_a_batch.household_with(unit_of(batch), stays)).accounts) == ["A1"]


async def test_what_was_loaded_together_is_forgotten_when_an_account_is_said_to_have_moved(tables: Tables) -> None:
    batch = Batch()
    event = account_changed("A1", "H1")
    await once_a_batch.load_households(unit_of(batch), [event])
    once_a_batch.forget_households(unit_of(batch))
    tables.household_of["A2"] = "H3"
    assert list((await once_a_batch.household_with(unit_of(batch), event)).accounts) == ["A1"]
