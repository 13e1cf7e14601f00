"""The two commands of the README, as a user runs them; and the same demo on the real Kafka decides the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.no_skips import skip_or_fail

ROOT = Path(__file__).parents[2]
DEADLINE_S = 400


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=DEADLINE_S, check=False)


def lines(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo")
    played = run("demo", "--out", str(out))
    assert played.returncode == 0, played.stdout + played.stderr
    return out


def test_everything_that_must_occur_did_and_the_figures_add_up(demo: Path) -> None:
    summary = json.loads((demo / "summary.json").read_text())
    assert all(summary["must_occur"].values()) and len(summary["must_occur"]) == 10
    assert summary["simulated"] is True
    assert summary["accounts"] >= 249
    assert 40_000 <= summary["lots"] <= 60_000
    assert summary["runs"] == 3
    assert float(summary["tracking_error_median_after_bps"]) < float(summary["tracking_error_median_before_bps"])
    assert float(summary["losses_harvested_usd"]) > 0
    assert summary["orders"] == len([o for o in lines(demo, "orders") if o["type"] == "pma.order.placed"])
    assert sum(summary["orders_by_state"].values()) == summary["orders"]
    assert summary["approvals"]["approved"] >= 3
    assert summary["approvals"]["rejected"] == 2
    assert summary["approvals"]["expired"] == 1


def test_the_audit_finds_nothing(demo: Path) -> None:
    audited = run("demo.audit", str(demo))
    assert audited.returncode == 0, audited.stdout + audited.stderr


def decisions(out: Path) -> set[tuple[str, str, str, str, str]]:
    """What was proposed, apart from ids that depend on the order in which partitions were read."""
    runs = {line["run_id"]: line["as_of"] for line in lines(out, "market") if line["type"] == "pma.run.opened"}
    return {
        (runs[p["run_id"]], p["account_id"], trade["security_id"], trade["side"], trade["quantity"])
        for p in lines(out, "proposals")
        if p["type"] == "pma.proposal.created"
        for trade in p["trades"]
    }


def test_on_kafka_it_decides_the_same(demo: Path, kafka_bootstrap: str, tmp_path: Path) -> None:
    """The demo starts a Kafka of its own; the fixture only says whether one can be started here."""
    if not kafka_bootstrap:
        skip_or_fail("no Kafka")
    played = run("demo", "--kafka", "--out", str(tmp_path))
    assert played.returncode == 0, played.stdout + played.stderr
    assert decisions(tmp_path) == decisions(demo)
    audited = run("demo.audit", str(tmp_path))
    assert audited.returncode == 0, audited.stdout + audited.stderr
