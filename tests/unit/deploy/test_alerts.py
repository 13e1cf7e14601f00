"""The alert rules: they ask only for what services export, fire when they should and not when they should not, and have a runbook entry."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.deploy.exported import ROOT, RULES_FILE, read, rules
from tests.unit.deploy.programs import promtool

CASES: dict[str, dict[str, list[dict[str, Any]]]] = yaml.safe_load((Path(__file__).parent / "alert_cases.yaml").read_text())
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
ENTRY_SAYS = ("Means:", "Look:", "Do:")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert", rule.get("record")))
def test_a_rule_asks_only_for_metrics_labels_and_values_that_services_export(rule: dict[str, Any]) -> None:
    assert read(rule["expr"]).problems == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("pma_orders_nothing_total", "no service exports it"),
        ('{__name__=~"pma_[a-z_]+_nothing"}', "no service exports it"),
        ('pma_orders_refusals_total{reason="stale_pin"}', "has no label reason"),
        ('pma_orders_refusals_total{code=~"stale_pin|stale"}', "code is never stale"),
        ("sum by (account) (pma_orders_open_runs)", "no label account"),
        ("pma:ready * on (topic) pma:ready", "no label topic"),
        ('label_replace(pma_orders_ready, "service", "$1", "nothing", "")', "no label nothing"),
        ("pma:outbox_rows{topic='t'}", "has no label topic"),
    ],
)
def test_the_comparison_sees_what_nobody_exports(expression: str, problem: str) -> None:
    assert any(problem in found for found in read(expression).problems), read(expression)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_names_its_labels_its_severity_and_its_entry_in_the_runbook(name: str) -> None:
    rule = ALERTS[name]
    said = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert said <= read(rule["expr"]).labels
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"


@pytest.mark.parametrize("name", ALERTS)
def test_the_runbook_says_what_an_alert_means_what_to_look_at_and_what_to_do(name: str) -> None:
    entries = re.findall(rf"^### {name}\n(.*?)(?=^#|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert len(entries) == 1
    assert [part for part in ENTRY_SAYS if part not in entries[0]] == []


def test_the_runbook_has_no_entry_for_an_alert_that_is_gone() -> None:
    assert set(re.findall(r"^### (Pma\w+)$", RUNBOOK, re.MULTILINE)) == set(ALERTS)


def test_promtool_accepts_configuration_and_rules() -> None:
    for what, file in (("config", ROOT / "deploy/prometheus/prometheus.yml"), ("rules", RULES_FILE)):
        done = subprocess.run([promtool(), "check", what, str(file)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    assert set(CASES) == set(ALERTS)
    assert [name for name, cases in CASES.items() if not (cases["fires"] and cases["quiet"])] == []


def group_of(name: str, case: dict[str, Any], fires: bool) -> dict[str, Any]:
    """One case as a test group of promtool: how many alerts of the name fire, with the labels of the case."""
    labels = {"alertname": name, "alertstate": "firing", **case.get("labels", {})}
    shown = ", ".join(f'{label}="{value}"' for label, value in labels.items())
    expected = [{"labels": "{}", "value": 1}] if fires else []
    return {
        "name": f"{name}: {case['when']}",
        "interval": "1m",
        "input_series": [{"series": series, "values": values} for series, values in case["series"].items()],
        "promql_expr_test": [{"expr": f"count(ALERTS{{{shown}}})", "eval_time": case["at"], "exp_samples": expected}],
    }


def rules_for(alerts: set[str]) -> dict[str, Any]:
    """The rule file with these alerts alone and what they are computed from: fewer rules to evaluate at every minute of a case."""
    kept = [rule for rule in rules() if rule.get("alert") in alerts]
    needed: list[dict[str, Any]] = []
    for rule in reversed([rule for rule in rules() if "record" in rule]):  # a figure is computed from figures before it
        if any(rule["record"] in other["expr"] for other in [*kept, *needed]):
            needed.insert(0, rule)
    return {"groups": [{"name": "figures", "rules": needed}, {"name": "alerts", "rules": kept}]}


def run_cases(tmp_path: Path, groups: dict[str, list[dict[str, Any]]]) -> subprocess.CompletedProcess[str]:
    """Run promtool over the groups of each alert, all in one process."""
    files = []
    for name, tests in groups.items():
        (tmp_path / f"{name}.rules.yml").write_text(yaml.safe_dump(rules_for({name})))
        head = {"rule_files": [f"{name}.rules.yml"], "evaluation_interval": "1m", "group_eval_order": ["figures", "alerts"]}
        files.append(tmp_path / f"{name}.yml")
        files[-1].write_text(yaml.safe_dump({**head, "tests": tests}))
    return subprocess.run([promtool(), "test", "rules", *map(str, files)], capture_output=True, text=True, check=False)


def test_alerts_fire_when_they_should_and_not_when_they_should_not(tmp_path: Path) -> None:
    groups = {
        name: [group_of(name, case, kind == "fires") for kind, cases in kinds.items() for case in cases] for name, kinds in CASES.items()
    }
    done = run_cases(tmp_path, groups)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(ALERTS)


@pytest.mark.parametrize("fires", [True, False])
def test_a_case_that_expects_the_wrong_thing_fails(tmp_path: Path, fires: bool) -> None:
    case = CASES["PmaKillSwitchOn"]["quiet" if fires else "fires"][0]
    done = run_cases(tmp_path, {"PmaKillSwitchOn": [group_of("PmaKillSwitchOn", case, fires)]})
    assert done.returncode != 0
    assert "PmaKillSwitchOn" in done.stdout + done.stderr
