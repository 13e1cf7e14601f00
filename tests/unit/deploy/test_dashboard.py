"""The dashboard: what Grafana reads is what panels.py says, and it asks only for what is exported."""

import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.grafana.dashboard import DATASOURCE, FILE, dashboard
from deploy.grafana.panels import RATE, ROWS, Panel
from tests.unit.deploy.exported import ROOT, RULES_FILE, exported, read
from tests.unit.deploy.programs import promtool

PANELS = [panel for row in ROWS for panel in row.panels]
QUERIES = [(panel, query, legend) for panel in PANELS for query, legend in panel.queries]
OF_PROMETHEUS_ITSELF = "ALERTS"

# Counted and kept for a person who looks into one case, on no panel and in no alert: each with the reason.
NOT_SHOWN = {
    "process_cpu_seconds_total": "shown as cores used",
    "process_max_fds": "the limit of the operating system",
    "process_open_fds": "for a person who looks for a leak",
    "process_virtual_memory_bytes": "resident memory says it",
    "process_start_time_seconds": "in an alert",
    "pma_restrictions_waiting_joins": "the age of the oldest is shown",
    "pma_wash_sale_waiting_joins": "the age of the oldest is shown",
}

# The part of Grafana's dashboard schema that the file uses, closed: a misspelt member is a failure.
GRID = {"type": "object", "required": ["x", "y", "w", "h"], "additionalProperties": {"type": "integer", "minimum": 0}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["uid", "title", "schemaVersion", "panels", "time", "refresh"],
    "properties": {
        **{name: {"type": "string", "minLength": 1} for name in ("uid", "title", "description", "refresh", "timezone")},
        "tags": {"type": "array", "items": {"type": "string"}},
        "schemaVersion": {"const": 39},
        "version": {"type": "integer"},
        "editable": {"const": False},
        "graphTooltip": {"enum": [0, 1, 2]},
        "time": {"type": "object", "required": ["from", "to"]},
        "templating": {"type": "object", "required": ["list"]},
        "annotations": {"type": "object", "required": ["list"]},
        "panels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos"],
                "additionalProperties": False,
                "properties": {
                    "id": {"type": "integer", "minimum": 1},
                    "type": {"enum": ["row", "stat", "timeseries"]},
                    "title": {"type": "string", "minLength": 1},
                    "gridPos": GRID,
                    "collapsed": {"const": False},
                    "panels": {"type": "array", "maxItems": 0},
                    "datasource": {"const": DATASOURCE},
                    "options": {"type": "object"},
                    "fieldConfig": {"type": "object", "required": ["defaults", "overrides"]},
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["refId", "expr", "datasource", "legendFormat", "instant"],
                            "additionalProperties": False,
                            "properties": {
                                "refId": {"type": "string", "pattern": "^[A-Z]$"},
                                "datasource": {"const": DATASOURCE},
                                "expr": {"type": "string", "minLength": 1},
                                "legendFormat": {"type": "string"},
                                "instant": {"type": "boolean"},
                            },
                        },
                    },
                },
            },
        },
    },
}


def expression(query: str) -> str:
    """The query as Prometheus gets it."""
    return query.replace(RATE, "1m")


def test_the_file_is_what_panels_say() -> None:
    assert json.loads(FILE.read_text()) == dashboard(), "write it again: python -m deploy.grafana.dashboard"


def test_the_file_has_the_shape_that_grafana_reads() -> None:
    jsonschema.validate(dashboard(), SCHEMA)
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


def test_no_panel_lies_over_another_or_beyond_the_edge() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


@pytest.mark.parametrize(("panel", "query", "legend"), QUERIES, ids=lambda value: value.title if isinstance(value, Panel) else "")
def test_a_query_asks_only_for_what_is_exported_and_names_its_labels(panel: Panel, query: str, legend: str) -> None:
    if query.startswith(f"count({OF_PROMETHEUS_ITSELF}"):
        return
    found = read(expression(query))
    assert found.problems == []
    assert set(re.findall(r"{{(\w+)}}", legend)) <= found.labels


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_the_unit_of_a_panel_is_that_of_its_metrics(panel: Panel) -> None:
    for query, _ in panel.queries:
        asked_for = query.partition("group_left")[0]
        if "rate(" in asked_for and "_bucket" not in asked_for and "cpu" not in asked_for:
            assert panel.unit == "reqps"
        elif "seconds_count[" not in asked_for or "_sum[" in asked_for:
            units = {"_bytes": "bytes", "_usd_total": "currencyUSD", "ratio_rate": "percentunit", "avg_over_time": "percentunit"}
            expected = next((unit for part, unit in units.items() if part in asked_for), None)
            if (
                expected is None
                and re.search(r"_seconds(_sum|_bucket|_to_cutoff)?\b|seconds_to_cutoff", asked_for)
                and "rate(process" not in asked_for
            ):
                expected = "s"
            assert panel.unit == (expected or ("bool_on_off" if "kill_switch" in asked_for else "short"))


def test_every_figure_of_the_services_is_on_the_dashboard_or_in_an_alert() -> None:
    asked_for = RULES_FILE.read_text() + "".join(query for _, query, _ in QUERIES)
    patterns = re.findall(r'__name__=~"([^"]+)"', asked_for)
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exported() if not name.endswith("_created")}
    silent = [
        name
        for name in sorted(families)
        if name not in asked_for and not any(re.fullmatch(pattern, name + end) for pattern in patterns for end in ("", "_count"))
    ]
    assert [name for name in silent if name not in NOT_SHOWN] == []


def test_promtool_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"pma:panel_{number}", "expr": expression(query)} for number, (_, query, _) in enumerate(QUERIES)]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([promtool(), "check", "rules", str(tmp_path / "queries.yml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_data_source_and_the_folder_of_the_dashboard_are_provisioned() -> None:
    provisioning = ROOT / "deploy/grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["uid"]) == (DATASOURCE["type"], DATASOURCE["uid"])
    (provider,) = yaml.safe_load((provisioning / "dashboards/pma.yml").read_text())["providers"]
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    assert f"./{FILE.parent.relative_to(ROOT)}:{provider['options']['path']}:ro" in mounts
