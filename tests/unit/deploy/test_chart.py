"""The Helm chart: it renders with a real engine, its manifests are valid, and its pods have no more rights and ways than they need."""

import importlib
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from libs.common.settings import SECRETS_DIR
from libs.common.topics import HOUSEHOLD_PARTITIONS, SERVICES
from tests.unit.deploy.chart import (
    CHART,
    EXAMPLES,
    KUBERNETES,
    METADATA,
    OF_OPERATORS,
    Rendered,
    helm,
    render,
    rendered,
    validate,
    values_of,
)
from tests.unit.deploy.exported import ROOT, RULES_FILE, read

ALL_VALUES = ("default", *sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
PRODUCTION = "production"
OLDEST, NEWEST = KUBERNETES
each_values = pytest.mark.parametrize("name", ALL_VALUES)


@each_values
def test_helm_lint_finds_nothing(name: str) -> None:
    report = helm().lint(CHART, values_of(name), strict=True)
    worse = [message for message in report["messages"] if message["severity"] > 1]
    assert (report["errors"], worse) == ([], [])


@pytest.mark.parametrize(("name", "version"), [("default", NEWEST), ("trial", OLDEST), (PRODUCTION, OLDEST), (PRODUCTION, NEWEST)])
def test_every_manifest_is_valid_for_kubernetes(name: str, version: str) -> None:
    for manifest in rendered(name).manifests:
        schema = OF_OPERATORS.get((manifest["apiVersion"], manifest["kind"]))
        if schema is None:
            validate(manifest, version)
        else:
            jsonschema.validate(manifest["metadata"], METADATA)
            jsonschema.validate(manifest["spec"], schema)


def test_the_validation_sees_a_misspelt_member() -> None:
    deployment = yaml.safe_load(yaml.safe_dump(rendered("default").of("Deployment")["pma-ingest"]))
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(deployment, NEWEST)


def merged(path: str, value: Any) -> dict[str, Any]:
    """Values with one member set, named by its path."""
    for part in reversed(path.split("/")):
        value = {part: value}
    return value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("service", {}, id="an unknown member"),
        pytest.param("services/ingest/replica", 2, id="a misspelt member"),
        pytest.param("services/risk", {}, id="a service that is none"),
        pytest.param("services/orders/replicas", 5, id="more replicas than partitions"),
        pytest.param("services/orders/replicas", 0, id="no replica"),
        pytest.param("services/orders/autoscaling/maxReplicas", 8, id="more replicas by scaling than partitions"),
        pytest.param("services/ingest/env", {"PMA_PORT": "9"}, id="a variable that the chart sets"),
        pytest.param("services/ingest/env", {"PATH": "/"}, id="a variable that is no setting"),
        pytest.param("services/ingest/env", {"PMA_OPENS_RUNS": True}, id="a variable that is no text"),
        pytest.param("services/ingest/digest", "sha256:abc", id="a digest cut short"),
        pytest.param("services/ingest/resources", {"limits": None}, id="no limits"),
        pytest.param("services/ingest/resources/limits/memory", "512", id="memory without a unit"),
        pytest.param("image/tag", "latest", id="the tag latest"),
        pytest.param("kafka/bootstrap", "kafka", id="a bootstrap without a port"),
        pytest.param("kafka/bootstrap", "", id="no bootstrap"),
        pytest.param("secrets/as", "plain", id="secrets in the clear"),
        pytest.param("secrets/postgres/name", "", id="no secret of PostgreSQL"),
        pytest.param("secrets/postgres/dsn", "postgresql://", id="a DSN among the values"),
        pytest.param("topics/replicas", 0, id="no copy of a partition"),
        pytest.param("networkPolicy/kafka/to", [{"cidr": "10.0.0.0/8"}], id="a peer that is none"),
        pytest.param("networkPolicy/kafka/ports", [], id="no port of Kafka"),
        pytest.param("terminationGracePeriodSeconds", 5, id="less time to stop than the server gives requests"),
        pytest.param("podDisruptionBudget/maxUnavailable", 0, id="a budget that blocks every drain"),
        pytest.param("logLevel", "loud", id="an unknown level"),
    ],
)
def test_the_schema_refuses(path: str, value: Any) -> None:
    with pytest.raises(helm().HelmValuesError):
        render(merged(path, value))


@pytest.mark.parametrize("path", ["services/orders/replicas", "services/orders/autoscaling/maxReplicas"])
def test_as_many_replicas_as_partitions_are_taken(path: str) -> None:
    assert render(merged(path, HOUSEHOLD_PARTITIONS)).of("Deployment")


@each_values
def test_a_pod_is_restricted(name: str) -> None:
    for pod, template in rendered(name).pods().items():
        spec = template["spec"]
        context = spec["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"], context["seccompProfile"]) == (True, 10001, {"type": "RuntimeDefault"}), pod
        assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"], "serviceAccountName" in spec) == (False, False, False), (
            pod
        )
        for container in spec["containers"]:
            rights = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            assert container["securityContext"] == rights, pod
            assert set(container["resources"]) == {"requests", "limits"}, pod
            writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
            assert writable == ["/tmp"], pod
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= {"emptyDir", "projected", "persistentVolumeClaim"}, pod
        assert "hostNetwork" not in spec and "hostPID" not in spec, pod


def deployments(of: Rendered) -> dict[str, dict[str, Any]]:
    """The services' deployments by the service's name in the code."""
    found = of.of("Deployment")
    return {service: found[f"pma-{service.replace('_', '-')}"] for service in SERVICES}


@pytest.mark.parametrize("service", SERVICES)
def test_the_three_probes_ask_three_questions(service: str) -> None:
    (container,) = deployments(rendered("default"))[service]["spec"]["template"]["spec"]["containers"]
    paths = {probe: container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    (port,) = container["ports"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert (str(port["containerPort"]), port["name"], variables["PMA_HOST"]) == (variables["PMA_PORT"], "http", "0.0.0.0")
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == 120


def settings_of(program: str) -> set[str]:
    """The environment variables that a program reads."""
    module = importlib.import_module(f"services.{program}.settings")
    classes = [found for found in vars(module).values() if isinstance(found, type) and found.__module__ == module.__name__]
    fields = {name for found in classes for name in getattr(found, "model_fields", {})}
    return {f"PMA_{name.upper()}" for name in fields} | {SECRETS_DIR}


@each_values
@pytest.mark.parametrize("program", [*SERVICES, "desk_simulator"])
def test_every_variable_is_a_setting_of_the_program_and_every_secret_reaches_it(name: str, program: str) -> None:
    found = rendered(name).of("Deployment").get(f"pma-{program.replace('_', '-')}")
    if found is None:
        assert (program, name) in {("desk_simulator", "default"), ("desk_simulator", PRODUCTION)}
        return
    spec = found["spec"]["template"]["spec"]
    variables = {each["name"] for each in spec["containers"][0]["env"]}
    assert variables <= settings_of(program)
    files = {
        item["path"] for v in spec["volumes"] for source in v.get("projected", {}).get("sources", ()) for item in source["secret"]["items"]
    }
    needed = {"PMA_KAFKA_BOOTSTRAP"} if program == "desk_simulator" else {"PMA_KAFKA_BOOTSTRAP", "PMA_POSTGRES_DSN"}
    assert needed <= variables | files
    assert files == {"default": {"PMA_POSTGRES_DSN"}, PRODUCTION: {"PMA_POSTGRES_DSN", "PMA_BEARER_TOKEN"}}.get(name, set())


def allows(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a policy selects pods with these labels."""
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return all(labels.get(label) == value for label, value in wanted.items())


def test_every_pod_is_denied_everything_and_allowed_only_what_it_needs() -> None:
    policies = rendered(PRODUCTION).of("NetworkPolicy")
    for pod, template in {**rendered(PRODUCTION).pods(), **rendered("trial").pods()}.items():
        selected = {name.removeprefix("pma-") for name, policy in policies.items() if allows(policy, template["metadata"]["labels"])}
        component = template["metadata"]["labels"]["app.kubernetes.io/component"]
        own = {"to-kafka", "to-postgres", component}
        if component.startswith("migrate-"):
            own = {"to-postgres"}
        elif component in ("topics", "desk-simulator"):
            own = {"to-kafka"}
        elif component == "test":
            own = {"test"}
        assert selected == {"default-deny", "dns", *own}, pod
    assert policies["pma-default-deny"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(policies["pma-default-deny"]["spec"])
    assert policies["pma-to-postgres"]["spec"]["egress"] == [
        {"ports": [{"port": 5432, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "10.20.0.0/24"}}]}
    ]
    (ingress,) = policies["pma-orders"]["spec"]["ingress"]
    assert len(ingress["from"]) == 3  # the test, clients, monitoring


def test_topics_come_before_schemas_and_both_before_the_release() -> None:
    jobs = rendered("default").of("Job")
    weights = {name: int(job["metadata"]["annotations"]["helm.sh/hook-weight"]) for name, job in jobs.items()}
    assert weights == {"pma-topics": -10, **{f"pma-migrate-{service.replace('_', '-')}": -5 for service in SERVICES}}
    assert {job["metadata"]["annotations"]["helm.sh/hook"] for job in jobs.values()} == {"pre-install,pre-upgrade"}
    for name, job in jobs.items():  # a hook of the first install finds nothing of the release
        assert all("persistentVolumeClaim" not in volume for volume in job["spec"]["template"]["spec"]["volumes"]), name


def test_a_command_is_a_module_that_the_image_holds() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    for name, job in rendered("default").of("Job").items():
        (container,) = job["spec"]["template"]["spec"]["containers"]
        python, flag, module, first, *_ = container["command"]
        assert (python, flag) == ("python", "-m")
        assert f"{module.replace('.', '/')}.py" in dockerfile
        if module == "deploy.migrate":
            assert container["image"] == f"pma/pma-{first.replace('_', '-')}:0.1.0"
            assert name == f"pma-migrate-{first.replace('_', '-')}"


def test_scaling_by_lag_stops_at_the_partitions() -> None:
    scaled = rendered(PRODUCTION).of("ScaledObject")
    assert set(scaled) == {"pma-ingest", "pma-restrictions", "pma-wash-sale", "pma-orders"}
    for name, each in scaled.items():
        assert each["spec"]["minReplicaCount"] == 2
        assert each["spec"]["maxReplicaCount"] == HOUSEHOLD_PARTITIONS
        query = each["spec"]["triggers"][0]["metadata"]["query"]
        assert read(re.sub(r'\{namespace="[^"]+"\}', "", query)).problems == []
        assert "replicas" not in rendered(PRODUCTION).of("Deployment")[name]["spec"]
    assert rendered(PRODUCTION).of("Deployment")["pma-optimizer"]["spec"]["replicas"] == 2
    few = render({**values_of(PRODUCTION), "services": {"orders": {"replicas": 3, "autoscaling": {"enabled": True, "maxReplicas": 2}}}})
    assert few.of("ScaledObject")["pma-orders"]["spec"]["maxReplicaCount"] == 3


def test_the_schema_and_the_templates_know_the_number_of_partitions() -> None:
    names = (CHART / "templates/_names.tpl").read_text()
    assert f'{{{{- define "pma.partitions" -}}}}{HOUSEHOLD_PARTITIONS}{{{{- end }}}}' in names


def test_rules_and_dashboard_are_those_of_prometheus_and_grafana() -> None:
    rule = rendered(PRODUCTION).of("PrometheusRule")["pma"]
    assert rule["spec"] == yaml.safe_load(RULES_FILE.read_text())
    dashboard = rendered(PRODUCTION).of("ConfigMap")["pma-dashboard"]["data"]["pma.json"]
    assert dashboard.strip() == (ROOT / "deploy/grafana/dashboards/pma.json").read_text().strip()


def test_the_packaged_chart_renders_the_same(tmp_path: Path) -> None:
    archive = helm().package(CHART, destination=tmp_path)
    assert render(values_of(PRODUCTION), path=archive) == rendered(PRODUCTION)


@pytest.mark.parametrize(
    ("release", "prefix"),
    [("pma", "pma"), ("pma-blue", "pma-blue"), ("trading", "trading-pma"), ("a" * 53, "a" * 40)],
)
def test_names_and_labels_follow_the_release(release: str, prefix: str) -> None:
    found = render({}, release=release)
    for manifest in found.manifests:
        name, labels = manifest["metadata"]["name"], manifest["metadata"]["labels"]
        assert name == prefix or name.startswith(f"{prefix}-")
        assert len(name) <= 63
        assert {"name", "instance", "version", "part-of", "managed-by"} <= {label.partition("/")[2] for label in labels}
        assert labels["app.kubernetes.io/instance"] == release
    assert f"{prefix}-orders" in found.notes


def test_the_notes_say_what_is_open_or_dangerous() -> None:
    assert "No bearer token is set" in rendered("default").notes
    assert "No bearer token is set" not in rendered(PRODUCTION).notes
    assert "this release must not trade" in rendered("trial").notes
    assert "Alerts are off" in rendered("default").notes


def test_helm_test_asks_every_service() -> None:
    pod = rendered("default").of("Pod")["pma-test-ready"]
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    services = rendered("default").of("Service")
    urls = [argument for argument in pod["spec"]["containers"][0]["command"] if argument.startswith("http")]
    assert urls == [f"http://{name}:{services[name]['spec']['ports'][0]['port']}/readyz" for name in sorted(services)]


def test_a_digest_goes_before_the_tag() -> None:
    images = {
        name: each["spec"]["template"]["spec"]["containers"][0]["image"] for name, each in rendered(PRODUCTION).of("Deployment").items()
    }
    assert images["pma-ingest"].startswith("registry.internal/pma/pma-ingest@sha256:0000")
    assert images["pma-wash-sale"] == "registry.internal/pma/pma-wash-sale:0.1.0"
