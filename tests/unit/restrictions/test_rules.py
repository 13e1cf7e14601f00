"""Which fields make a rule, and what is said of those that do not."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.schemas.account import WishBy, WishKind
from services.restrictions.core.rules import MAX_TARGETS, RefusalReason, Rule, RuleRefused, check_rule

D = Decimal
ALL_KINDS: list[WishKind] = ["never_buy", "never_sell", "must_sell", "hold", "never_add", "max_weight"]
ALL_BYS: list[WishBy] = ["security", "issuer", "industry", "sector", "category"]


@pytest.mark.parametrize("by", ALL_BYS)
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_each_kind_by_each_name(kind: WishKind, by: WishBy) -> None:
    limit = D("0.05") if kind == "max_weight" else None
    checked = check_rule("r", kind, by, ["X"], level="account", limit_frac=limit)
    if kind == "max_weight" and by in ("industry", "sector", "category"):
        assert isinstance(checked, RuleRefused)
        assert (checked.reason, checked.field) == (RefusalReason.LIMIT_BY_GROUP, "by")
        assert by in checked.message
    else:
        assert checked == Rule("r", kind, by, ("X",), "account", limit)


REFUSALS: list[tuple[str, WishKind, list[str], Decimal | None, RefusalReason, str]] = [
    ("no target", "never_buy", [], None, RefusalReason.NO_TARGETS, "targets"),
    ("an empty target", "never_buy", [""], None, RefusalReason.BAD_TARGET, "targets"),
    ("a padded target", "never_buy", ["X "], None, RefusalReason.BAD_TARGET, "targets"),
    ("a control character", "never_buy", ["X\n"], None, RefusalReason.BAD_TARGET, "targets"),
    ("a very long target", "never_buy", ["X" * 121], None, RefusalReason.BAD_TARGET, "targets"),
    ("a limit on another kind", "hold", ["X"], D("0.1"), RefusalReason.LIMIT_NOT_FOR_KIND, "limit_frac"),
    ("no limit", "max_weight", ["X"], None, RefusalReason.LIMIT_MISSING, "limit_frac"),
    ("a limit meant as hundredths", "max_weight", ["X"], D("5"), RefusalReason.LIMIT_OUT_OF_RANGE, "limit_frac"),
    ("a negative limit", "max_weight", ["X"], D("-0.01"), RefusalReason.LIMIT_OUT_OF_RANGE, "limit_frac"),
    ("no number", "max_weight", ["X"], D("NaN"), RefusalReason.LIMIT_OUT_OF_RANGE, "limit_frac"),
]


@pytest.mark.parametrize(("kind", "targets", "limit", "reason", "field"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_refusals(kind: WishKind, targets: list[str], limit: Decimal | None, reason: RefusalReason, field: str) -> None:
    refused = check_rule("r", kind, "security", targets, level="account", limit_frac=limit)
    assert isinstance(refused, RuleRefused)
    assert (refused.reason, refused.field) == (reason, field)


def test_too_many_targets_carries_both_numbers() -> None:
    refused = check_rule("r", "never_buy", "security", [f"S{i}" for i in range(MAX_TARGETS + 1)], level="household")
    assert isinstance(refused, RuleRefused)
    assert (refused.reason, refused.limit, refused.actual) == (RefusalReason.TOO_MANY_TARGETS, MAX_TARGETS, MAX_TARGETS + 1)


@pytest.mark.parametrize("limit", ["0", "0.05", "1"])
def test_limits_from_none_of_it_to_all_of_it(limit: str) -> None:
    assert isinstance(check_rule("r", "max_weight", "issuer", ["X"], level="account", limit_frac=D(limit)), Rule)


@given(st.lists(st.sampled_from("ABCDE"), min_size=1), st.data())
def test_targets_are_unique_and_sorted_whatever_their_order(targets: list[str], data: st.DataObject) -> None:
    checked = check_rule("r", "hold", "security", data.draw(st.permutations([*targets, *targets])), level="account")
    assert isinstance(checked, Rule)
    assert checked.targets == tuple(sorted(set(targets)))
