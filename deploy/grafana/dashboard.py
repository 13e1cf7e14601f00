"""The dashboard as Grafana reads it: `python -m deploy.grafana.dashboard` writes deploy/grafana/dashboards/pma.json from panels.py."""

import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.grafana.panels import ROWS, Panel

FILE = Path(__file__).parent / "dashboards" / "pma.json"
DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
COLUMNS = 24
HEIGHTS = {"stat": 4, "timeseries": 7}


def dashboard() -> dict[str, Any]:
    """The whole dashboard."""
    return {
        "uid": "pma",
        "title": "PMA",
        "description": "From the custodian's file to the booked trade, in the order in which a person at night looks.",
        "tags": ["pma"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": []},
        "annotations": {"list": [_alerts_shown()]},
        "panels": list(_panels()),
    }


def _alerts_shown() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": DATASOURCE,
        "enable": True,
        "iconColor": "red",
        "expr": 'ALERTS{alertstate="firing", alertname=~"Pma.+"}',
        "titleFormat": "{{alertname}} {{service}}",
        "step": "60s",
    }


def _panels() -> Iterator[dict[str, Any]]:
    """Every heading and panel with its place; a line is as high as its first panel."""
    ids = itertools.count(1)
    y = 0
    for row in ROWS:
        yield {"id": next(ids), "type": "row", "title": row.title, "collapsed": False, "gridPos": _place(0, y, COLUMNS, 1), "panels": []}
        y += 1
        x = height = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, y + height
            height = HEIGHTS[panel.kind] if x == 0 else height
            yield {"id": next(ids), "gridPos": _place(x, y, panel.width, height), **_shown(panel)}
            x += panel.width
        y += height


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _shown(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.bad_from is not None:
        steps.append({"color": "red", "value": panel.bad_from})
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "min": None if panel.unit == "s" else 0,
        "thresholds": {"mode": "absolute", "steps": steps},
    }
    options: dict[str, Any] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "background"}
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        bad = {"mode": "off" if panel.bad_from is None else "line"}
        defaults["custom"] = {
            "fillOpacity": 30 if panel.stacked else 5,
            "showPoints": "never",
            "stacking": stacking,
            "thresholdsStyle": bad,
        }
        options = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": query, "legendFormat": legend, "instant": panel.kind == "stat"}
            for i, (query, legend) in enumerate(panel.queries)
        ],
    }


def main() -> int:
    """Write the file."""
    FILE.write_text(json.dumps(dashboard(), indent=1) + "\n")
    sys.stdout.write(f"{FILE.name}: {len(dashboard()['panels'])} panels and headings\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
