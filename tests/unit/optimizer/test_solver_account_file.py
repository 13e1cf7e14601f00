"""Settings and limits of an account file that make no sense: refused by line, member and remedy, before anything is solved."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.optimizer.__main__ import main
from services.optimizer.account_file_reader import line_of

SAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "solve" / "account.json"
Member = tuple[str | int, ...]


def bound(by: str = "security", target: str = "ACORN", **ends: str) -> dict[str, str]:
    return {"by": by, "target": target, **ends}


BAD: list[tuple[Member, Any, str, str]] = [
    (("limits",), {"tracking_error_frac": "-0.1"}, "limits.tracking_error_frac", "from 0.000001 to 1"),
    (("limits",), {"turnover_frac": "NaN"}, "limits.turnover_frac", "is NaN"),
    (("limits",), {"trades": -1}, "limits.trades", "below its least value"),
    (("limits",), {"names": 0}, "limits.names", "Give a number from 1"),
    (("limits",), {"min_holding": "-5"}, "limits.min_holding", "Give a number from 0"),
    (("limits",), {"weights": [bound("sector", "Oyl", most_frac="0.2")]}, "limits.weights[0]", "no sector of that name"),
    (("limits",), {"weights": [bound(most_frac="0.1", least_frac="0.2")]}, "limits.weights[0]", "least against most weight"),
    (("limits",), {"weights": [bound(most_frac="0.1"), bound(least_frac="0.2")]}, "limits.weights[1]", "least against most weight"),
    (("limits",), {"weights": [bound(most_frac="Infinity")]}, "limits.weights[0].most_frac", "is Infinity"),
    (("limits",), {"weights": [bound()]}, "limits.weights[0]", "neither least nor most"),
    (("limits",), {"weights": [bound(least_frac="0.6"), bound(target="ELM", least_frac="0.6")]}, "limits.weights", "more than cash leaves"),
    (("losses",), {"counts": "netted", "carried_frac": "0.9"}, "losses.carried_frac", "from 0 to 0.238"),
    (("losses",), {"counts": "netted", "ordinary_limit": "-1"}, "losses.ordinary_limit", "Give a number from 0"),
    (("harvest",), {"refresh_gain_frac": "7"}, "harvest.refresh_gain_frac", "from 0 to 1"),
    (
        ("harvest",),
        {"thresholds": [{"from_month": 13, "from_age_days": 0, "loss_frac": "0.1"}]},
        "harvest.thresholds[0].from_month",
        "to 12",
    ),
    (("budgets",), {"tax": "-5"}, "budgets.tax", "Give a number from 0"),
    (("rates", "ordinary_frac"), "2", "rates.ordinary_frac", "from 0 to 1"),
    (("cash_min_frac",), "0.5", "cash_min_frac", "from 0 to 0.02"),
    (("cash_max_frac",), "NaN", "cash_max_frac", "from 0 to 1"),
    (("risk_aversion",), "0", "risk_aversion", "above zero"),
    (("min_trade",), "-1", "min_trade", "from 0"),
    (("price_collar_bps",), 20_000, "price_collar_bps", "below 10000"),
    (("cash_flows",), [{"due": "2026-01-20", "amount": "NaN"}], "cash_flows[0].amount", "is NaN"),
    (("cash",), "-100000", "raise_cash", "below zero"),
    (("cash",), "1e40", "cash", "Write it as"),
    (("factors",), ["market", "market", "energy"], "factors[1]", "Give each factor once"),
    (("securities", 0, "security_id"), "", "securities[0].security_id", "is empty"),
    (("securities", 0, "price"), "1e30", "securities[0].price", "Give dollars a share"),
    (("securities", 0, "half_spread_bps"), 10_000, "securities[0].half_spread_bps", "below 10000"),
    (("securities", 0, "exposures"), [1e300, 0.0, 0.0], "securities[0].exposures", "yearly volatilities"),
    (("securities", 0, "specific_var_ann"), 1e300, "securities[0].specific_var_ann", "yearly variance"),
    (("lots", 0, "quantity"), "1e30", "lots[0].quantity", "Give shares"),
    (("lots", 0, "held_since"), "2027-01-01", "lots[0].held_since", "holding period"),
    (("rules",), [{"kind": "max_weight", "target": "ACORN", "limit_frac": "NaN"}], "rules[0].limit_frac", "from 0 to 1"),
]


@pytest.mark.parametrize(("member", "value", "field", "said"), BAD, ids=[f"{case[2]}, {n}" for n, case in enumerate(BAD)])
def test_a_bad_setting_is_refused_by_line_member_and_remedy(
    member: Member, value: Any, field: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(SAMPLE.read_text())
    part = document
    for step in member[:-1]:
        part = part[step]
    part[member[-1]] = value
    path = tmp_path / "account.json"
    path.write_text(json.dumps(document, indent=1))
    assert main(["solve", str(path), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"{path}, line {line_of(path.read_text(), field)}, {field}: ")
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "proposal.json").exists()
