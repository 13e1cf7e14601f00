"""What the services export, and whether a PromQL expression asks for anything else."""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from libs.common.topics import SERVICES
from tests.unit.test_runbook import built

ROOT = Path(__file__).parents[3]
RULES_FILE = ROOT / "deploy/prometheus/alerts.yml"
OF_THE_SCRAPE = {"instance", "job"}
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@dataclass
class Exported:
    """A metric: its labels, and for each the values that it has from the start (none: they come with the events)."""

    labels: set[str]
    values: dict[str, set[str]] = field(default_factory=dict)


@cache
def exported() -> dict[str, Exported]:
    """Every metric that a service exports, by the name that Prometheus knows."""
    found: dict[str, Exported] = {}
    for service in SERVICES:
        registry = built(service)[0].metrics.registry
        for collector in registry._collector_to_names:
            labels = set(getattr(collector, "_labelnames", ()))
            for metric in collector.collect():
                for suffix in SUFFIXES[metric.type]:
                    found[metric.name + suffix] = Exported(labels | ({"le"} if suffix == "_bucket" else set()))
                for sample in metric.samples:
                    for label, value in sample.labels.items():
                        if sample.name in found:
                            found[sample.name].values.setdefault(label, set()).add(value)
    return found


@cache
def rules() -> list[dict[str, Any]]:
    """The recording and alert rules, in order."""
    return [rule for group in yaml.safe_load(RULES_FILE.read_text())["groups"] for rule in group["rules"]]


@cache
def known() -> dict[str, Exported]:
    """What services export and what the recording rules make of it, each with the labels that its expression leaves."""
    found = dict(exported())
    for rule in rules():
        if "record" in rule:
            found[rule["record"]] = Exported(read(rule["expr"], found).labels)
    return found


@dataclass(frozen=True)
class Read:
    """The labels of an expression's series, and what it asks for that nobody exports."""

    labels: set[str]
    problems: list[str]


def read(text: str, metrics: dict[str, Exported] | None = None) -> Read:
    """Compare an expression with what is exported: metrics, labels, and values of labels that are known from the start."""
    problems: list[str] = []
    labels = _labels(promql_parser.parse(text), known() if metrics is None else metrics, problems)
    return Read(labels, problems)


def _labels(node: Any, metrics: dict[str, Exported], problems: list[str]) -> set[str]:
    """The labels that the series of a node carry."""
    labels: set[str] = set()  # of numbers and texts
    match node:
        case promql_parser.VectorSelector():
            labels = _selected(node, metrics, problems)
        case promql_parser.MatrixSelector():
            labels = _selected(node.vector_selector, metrics, problems)
        case promql_parser.AggregateExpr():
            inner = _labels(node.expr, metrics, problems)
            labels = _only(set(node.modifier.labels) if node.modifier else set(), inner | {"__name__"}, node, problems)
        case promql_parser.Call():
            labels = _called(node, metrics, problems)
        case promql_parser.BinaryExpr():
            labels = _joined(node, metrics, problems)
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr():
            labels = _labels(node.expr, metrics, problems)
    return labels


def _called(node: Any, metrics: dict[str, Exported], problems: list[str]) -> set[str]:
    inner = set().union(*(_labels(argument, metrics, problems) for argument in node.args))
    match node.func.name:
        case "label_replace":
            _only({node.args[3].val} - {""}, inner | {"__name__"}, node, problems)
            return inner | {node.args[1].val}
        case "absent":
            return set()
        case "histogram_quantile":
            return inner - {"le"}
    return inner


def _selected(selector: Any, metrics: dict[str, Exported], problems: list[str]) -> set[str]:
    shown = selector.prettify()
    matchers = {matcher.name: matcher for matcher in selector.matchers.matchers}
    pattern = selector.name or matchers["__name__"].value
    found = {name: metric for name, metric in metrics.items() if re.fullmatch(pattern, name)}
    if not found:
        problems.append(f"{shown}: no service exports it")
    for label, matcher in matchers.items():
        if label == "__name__" or label in OF_THE_SCRAPE:
            continue
        problems += [f"{shown}: {name} has no label {label}" for name, metric in found.items() if label not in metric.labels]
        values: set[str] = set().union(*(metric.values.get(label, set()) for metric in found.values()))
        wanted = matcher.value.split("|") if matcher.op in (promql_parser.MatchOp.Re, promql_parser.MatchOp.NotRe) else [matcher.value]
        problems += [f"{shown}: {label} is never {value}" for value in wanted if values and value not in values]
    return set().union(OF_THE_SCRAPE, *(metric.labels for metric in found.values()))


def _joined(node: Any, metrics: dict[str, Exported], problems: list[str]) -> set[str]:
    left, right = (_labels(side, metrics, problems) for side in (node.lhs, node.rhs))
    modifier = node.modifier
    if modifier and modifier.matching:
        _only(set(modifier.matching.labels), left & right, node, problems)
        left |= _only(set(modifier.group_labels or ()), right, node, problems)
    return left | right if str(node.op) == "or" else left


def _only(named: set[str], there: set[str], node: Any, problems: list[str]) -> set[str]:
    problems += [f"{node.prettify()}: no label {label}" for label in sorted(named - there)]
    return named
