"""The removals of tests/guards fit the tree as it is; `make guards` shows that each is caught."""

from pathlib import Path

import pytest

from tests.guards.catalogue import REMOVALS
from tests.guards.removal import CannotRemove, Removal, check, without_guard

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("removal", REMOVALS, ids=[one.guard for one in REMOVALS])
def test_a_removal_can_be_made_and_names_tests_that_are_there(removal: Removal) -> None:
    """When this fails, the guard's text has changed: look at tests/guards, write the removal anew, and run `make guards`."""
    check(removal, ROOT)


def test_no_two_removals_are_alike() -> None:
    assert len({one.guard for one in REMOVALS}) == len(REMOVALS) == len({(one.file, one.old) for one in REMOVALS})


@pytest.mark.parametrize(
    ("text", "new", "complaint"),
    [
        ("a = 1", "x = 3", "stands 0 times"),
        ("x = 2\nx = 2", "x = 3", "stands 2 times"),
        ("x = 2", "x = (", "no Python"),
        ("x = 2", "x = 2", "changes nothing"),
    ],
)
def test_a_removal_that_no_longer_fits_is_refused(text: str, new: str, complaint: str) -> None:
    with pytest.raises(CannotRemove, match=complaint):
        without_guard(Removal("g", "f.py", "x = 2", new, ()), text)
