"""The sentences that explain a verdict."""

from services.restrictions.core.screen import screen_account
from services.restrictions.core.why import Reason, explain

from .samples import UNIVERSE, rule


def reasons(security_id: str, *given: tuple[str, str, str]) -> list[Reason]:
    rules = [rule(kind, by, target, limit="0.05" if kind == "max_weight" else None, rule_id=kind) for kind, by, target in given]  # type: ignore[arg-type]
    return next(explain(verdict) for verdict in screen_account([], rules, UNIVERSE) if verdict.security_id == security_id)


def test_each_kind_says_what_it_does() -> None:
    kinds = ["hold", "never_sell", "must_sell", "never_buy", "never_add", "max_weight"]
    said = [reason.says for kind in kinds for reason in reasons("EGG", (kind, "security", "EGG"))]
    assert said == [
        "EGG is held as it is: neither bought nor sold",
        "EGG is not sold",
        "EGG is sold in full",
        "EGG is not bought",
        "EGG is not added to, since it is owned elsewhere; what is held may be kept or sold",
        "EGG has a bounded weight",
    ]


def test_a_group_is_named() -> None:
    (reason,) = reasons("ALE", ("never_buy", "category", "alcohol"))
    assert reason.says == "ALE, being of category alcohol, is not bought"


def test_a_request_to_sell_names_what_overrules_it() -> None:
    deciding, wanted = reasons("ALE", ("must_sell", "sector", "Staples"), ("never_sell", "security", "ALE"))
    assert deciding.overruled_by is None
    assert (wanted.rule.kind, wanted.overruled_by) == ("must_sell", deciding.rule)


def test_the_market_block_overrules_a_request_to_sell() -> None:
    deciding, wanted = reasons("FIX", ("must_sell", "security", "FIX"))
    assert deciding.says == "FIX is neither bought nor sold, since the market's snapshot says price_jump"
    assert wanted.overruled_by == deciding.rule
