"""The chart as a real Helm engine (the Go library, as a wheel) renders it, and the manifests as Kubernetes' own schemas see them."""

import importlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import kubernetes_validate
import yaml

from tests.no_skips import skip_or_fail
from tests.unit.deploy.exported import ROOT

CHART = ROOT / "deploy/helm/pma"
EXAMPLES = ROOT / "deploy/helm/examples"
KUBERNETES = ("1.29", "1.37")  # the oldest that the chart takes, and the newest whose schemas are at hand

# Kinds of operators, whose schemas Kubernetes does not carry: the members that the chart uses, closed.
TEXT = {"type": "string", "minLength": 1}
METADATA = {"type": "object", "required": ["name", "labels"]}
SCALED_OBJECT = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"],
    "properties": {
        "scaleTargetRef": {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {"name": TEXT}},
        **{name: {"type": "integer", "minimum": 1} for name in ("minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod")},
        "fallback": {"type": "object", "required": ["failureThreshold", "replicas"]},
        "advanced": {"type": "object"},
        "triggers": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "metadata"],
                "properties": {
                    "type": {"const": "prometheus"},
                    "metadata": {
                        "type": "object",
                        "additionalProperties": TEXT,
                        "required": ["serverAddress", "query", "threshold"],
                    },
                },
            },
        },
    },
}
SERVICE_MONITOR = {
    "type": "object",
    "additionalProperties": False,
    "required": ["selector", "endpoints"],
    "properties": {
        "selector": {"type": "object", "required": ["matchLabels"]},
        "endpoints": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": False, "properties": {"port": TEXT, "path": TEXT, "interval": TEXT}},
        },
    },
}
OF_OPERATORS = {
    ("keda.sh/v1alpha1", "ScaledObject"): SCALED_OBJECT,
    ("monitoring.coreos.com/v1", "ServiceMonitor"): SERVICE_MONITOR,
    ("monitoring.coreos.com/v1", "PrometheusRule"): {"type": "object", "required": ["groups"]},
}


@dataclass(frozen=True)
class Rendered:
    """What the engine made of some values: the manifests in order and the notes."""

    manifests: tuple[dict[str, Any], ...]
    notes: str

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The manifests of a kind by name."""
        return {each["metadata"]["name"]: each for each in self.manifests if each["kind"] == kind}

    def pods(self) -> dict[str, dict[str, Any]]:
        """Every pod that the release may start, by kind and name: its metadata and spec."""
        found = {}
        for each in self.manifests:
            if each["kind"] in ("Deployment", "Job"):
                found[f"{each['kind']} {each['metadata']['name']}"] = each["spec"]["template"]
            elif each["kind"] == "Pod":
                found[f"Pod {each['metadata']['name']}"] = each
        return found


@cache
def helm() -> Any:
    """The engine; where its wheel does not install the test is skipped, in CI it fails."""
    try:
        return importlib.import_module("helm_python")
    except ImportError as reason:
        skip_or_fail(f"the Helm engine has no wheel for this machine: {reason}")


def values_of(name: str) -> dict[str, Any]:
    """The values of an example; `default` has none."""
    return {} if name == "default" else dict(yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text()))


def render(values: dict[str, Any], release: str = "pma", namespace: str = "trading", path: Any = CHART) -> Rendered:
    """Render the chart; values that the schema refuses raise."""
    with helm().Chart.load(path) as chart:
        chart.validate_schema(values)
        files: dict[str, str] = chart.render(values, name=release, namespace=namespace)
    documents = [yaml.safe_load_all(text) for name, text in sorted(files.items()) if name.endswith(".yaml")]
    notes = next(text for name, text in files.items() if name.endswith("NOTES.txt"))
    return Rendered(tuple(each for found in documents for each in found if each), notes)


@cache
def rendered(name: str) -> Rendered:
    """An example, rendered once."""
    return render(values_of(name))


def validate(manifest: dict[str, Any], version: str) -> None:
    """Against Kubernetes' schema of a version, strictly: an unknown member is refused."""
    kubernetes_validate.validate(manifest, version, strict=True)
