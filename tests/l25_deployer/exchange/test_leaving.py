"""From descriptors to Compose and Kubernetes, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Golden
from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.exchange import compose, to_compose, to_kubernetes
from drystone.l25_deployer.exchange.errors import ExportRefused
from drystone.l25_deployer.exchange.leaving import Leaving, leaving, standing
from drystone.l25_deployer.exchange.writing import dump

HERE = Path(__file__).parent
SHOP = """\
schema: 1
service: shop
owner: commerce
image: registry.example.com/shop:${version}
port: 8000
health: {path: /up, interval: 10s}
command: [serve, --port, "8000", --price, "$5"]
size: {cpu: 250m, memory: 300Mi}
scale: {min: 2, max: 6, cpu: 60%}
workers: {mailer: {command: [mail], env: {BATCH: "10"}}}
env: {ORDERS: "${dependencies.orders.url}/v1", DSN: "host=${resources.db.host} user=${resources.db.user}", LEVEL: info}
secrets: [STRIPE_KEY]
resources:
  db: {type: postgres, extensions: [citext]}
  files: {type: bucket}
  hot: {type: cache}
  spool: {type: volume}
dependencies:
  orders: {needs: soft, without: no orders}
  mail: hard
network: {ingress: {public: true}, egress: ["api.stripe.com:443"]}
limits: {all: {rate: 10/s}}
deploy: {migrate: [migrate], smoke: [GET /up]}
logs: {keep: 3d}
"""
ORDERS = """\
schema: 1
service: orders
owner: commerce
process: {command: [python, -m, orders, "${port}"], runtime: python, setup: [uv, pip, install, -r, requirements.txt], dir: orders}
health: /
stop: {grace: 90s, signal: INT}
"""
SITE = "schema: 1\nservice: site\nowner: web\nstatic: {dir: dist, spa: true}\n"


def gone(*texts: str) -> list[Leaving]:
    return [leaving(read(text, file="service.yaml"), "prod", "7") for text in texts]


def taken(text: str) -> dict[str, Any]:
    found = compose.read(text.encode(), file="c", owner="unowned", files=lambda _: None)
    return {one.service: yaml.safe_load(one.text) for one in found.drafts}


def test_compose_is_as_it_was(golden: Golden) -> None:
    made = to_compose.export(gone(SHOP, ORDERS, SITE), source="three services")
    golden(HERE / "golden" / "compose.yaml", made.files["compose.yaml"])
    golden(HERE / "golden" / "compose.remarks", "".join(f"{one}\n" for one in made.remarks))


def test_kubernetes_is_as_it_was(golden: Golden) -> None:
    made = to_kubernetes.export(gone(SHOP, ORDERS, SITE), source="three services")
    for name, text in made.files.items():
        golden(HERE / "golden" / name, text)
    golden(HERE / "golden" / "kubernetes.remarks", "".join(f"{one}\n" for one in made.remarks))


@pytest.mark.parametrize("export", [to_compose.export, to_kubernetes.export])
def test_the_order_of_services_changes_nothing(export: Any) -> None:
    assert export(gone(SHOP, ORDERS, SITE), source="x") == export(
        gone(SITE, SHOP, ORDERS), source="x"
    )


def test_manifests_name_each_other_rightly() -> None:
    made = to_kubernetes.export(gone(SHOP, ORDERS, SITE), source="x")
    every = [
        one
        for name, text in made.files.items()
        if name.endswith(".yaml")
        for one in yaml.safe_load_all(text)
    ]
    by_kind = {(one["kind"], one["metadata"]["name"]): one for one in every}
    assert len(by_kind) == len(every)
    for one in every:
        spec = one.get("spec", {})
        if one["kind"] == "Deployment":
            labels = spec["template"]["metadata"]["labels"]
            assert spec["selector"]["matchLabels"].items() <= labels.items()
            for container in spec["template"]["spec"]["containers"]:
                for source in container.get("envFrom", []):
                    assert ("ConfigMap", source["configMapRef"]["name"]) in by_kind
            for volume in spec["template"]["spec"].get("volumes", []):
                claim = volume["persistentVolumeClaim"]["claimName"]
                assert ("PersistentVolumeClaim", claim) in by_kind
        if one["kind"] == "HorizontalPodAutoscaler":
            assert ("Deployment", spec["scaleTargetRef"]["name"]) in by_kind
            assert "replicas" not in by_kind["Deployment", spec["scaleTargetRef"]["name"]]["spec"]
    assert {
        "Deployment",
        "Service",
        "ConfigMap",
        "Job",
        "PodDisruptionBudget",
        "NetworkPolicy",
    } <= {kind for kind, _ in by_kind}
    assert not any(kind == "Secret" for kind, _ in by_kind)
    policy = by_kind["NetworkPolicy", "orders"]["spec"]
    assert policy["ingress"][0]["from"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "shop"}}}
    ]


def test_what_compose_would_take_for_a_variable_is_a_plain_dollar() -> None:
    made = yaml.safe_load(to_compose.export(gone(SHOP), source="x").files["compose.yaml"])
    assert made["services"]["shop"]["command"][-1] == "$$5"
    assert made["services"]["shop"]["environment"]["STRIPE_KEY"] == "${STRIPE_KEY:?}"


def test_what_a_store_gives_is_in_no_image() -> None:
    text = ORDERS.replace('"${port}"]', '"${port}", "--dsn=${resources.db.url}", "$(x)"]')
    text += "resources: {db: {type: postgres}}\n"
    composed = yaml.safe_load(to_compose.export(gone(text), source="x").files["compose.yaml"])
    service = composed["services"]["orders"]
    assert "dsn" not in service["build"]["dockerfile_inline"]
    assert service["command"][-2] == "--dsn=postgresql://app:${DB_PASSWORD:?}@db:5432/app"

    made = to_kubernetes.export(gone(text), source="x").files
    assert "dsn" not in made["orders.Dockerfile"]
    deployment = next(
        one for one in yaml.safe_load_all(made["orders.yaml"]) if one["kind"] == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"][-2:] == ["--dsn=$(DB_URL)", "$$(x)"]
    assert "DB_URL" in [one["name"] for one in container["env"]]


def test_what_is_left_behind_is_told() -> None:
    told = {(one.kind, one.path) for one in to_compose.export(gone(SHOP), source="x").remarks}
    assert {
        ("lost", "shop.limits"),
        ("lost", "shop.network.egress"),
        ("lost", "shop.scale"),
        ("lost", "logs"),
        ("todo", "shop.dependencies.mail"),
        ("todo", "shop.resources.db"),
    } <= told


def test_nothing_serves_and_parts_of_the_platform_are_refused() -> None:
    with pytest.raises(ExportRefused, match="nothing of 'shop' serves"):
        standing("shop", None)
    part = "schema: 1\nservice: part\nowner: us\nembedded: drystone.part\n"
    with pytest.raises(ExportRefused, match="part of the platform"):
        to_compose.export([leaving(read(part, embedded_allowed=True), "prod", "1")], source="x")


def test_the_published_schemas_agree() -> None:
    schemas = json.loads((Path(__file__).parent / "kubernetes.json").read_text())
    found = [
        one
        for name, text in to_kubernetes.export(gone(SHOP, ORDERS, SITE), source="x").files.items()
        if name.endswith(".yaml")
        for one in yaml.safe_load_all(text)
    ]
    assert {"Deployment", "Job", "NetworkPolicy"} <= {one["kind"] for one in found}
    for one in found:
        reference = {"$ref": f"#/definitions/{schemas['kinds'][one['kind']]}"}
        schema = jsonschema.Draft7Validator({**reference, "definitions": schemas["definitions"]})
        assert [mistake.message for mistake in schema.iter_errors(one)] == []
        one["spec" if "spec" in one else "data"]["odd"] = {}
        assert not schema.is_valid(one)


NAMES = st.sampled_from(["web", "api", "ui", "desk"])
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12
)
VARIABLES = st.sampled_from(["LEVEL", "MODE", "GREETING", "X_Y"])


def stores(draw: st.DrawFn, name: str, one: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
    """Draw the stores that a service has."""
    found: dict[str, Any] = {}
    for store, image, url in (
        ("db", "postgres:18", "postgres://u:p@{}:5432/x"),
        ("cache", "redis", "redis://{}:6379"),
        ("files", "minio/minio", "http://{}:9000"),
    ):
        if draw(st.booleans()):
            host = f"{name}-{store}"
            found[host] = {"image": image, "x-port": 0}
            one["depends_on"][host] = {"condition": "service_started"}
            if draw(st.booleans()):
                env[f"{store.upper()}_ADDRESS"] = url.format(host)
    return found


@st.composite
def composed(draw: st.DrawFn) -> str:
    """A Compose file whose services all have images or are built in place."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    services: dict[str, Any] = {}
    for at, name in enumerate(names):
        port = draw(st.sampled_from([8080, 3000, 9001]))
        env = draw(
            st.dictionaries(VARIABLES, WORDS.map(lambda text: text.replace("$", "$$")), max_size=3)
        )
        one: dict[str, Any] = {"environment": env, "depends_on": {}}
        if draw(st.booleans()):
            one["image"] = f"registry.example.com/{name}:2"
            if draw(st.booleans()):
                one["command"] = draw(
                    st.lists(
                        WORDS.map(lambda text: text.replace("$", "$$")), min_size=1, max_size=3
                    )
                )
        else:
            text = 'FROM python:3.12\nCOPY . /app\nRUN pip install -r requirements.txt\nCMD ["python", "-m", "app", "%d"]\n'
            one["build"] = {"context": name, "dockerfile_inline": text % port}
        one["ports" if draw(st.booleans()) else "expose"] = (
            [f"{port}"] if "ports" not in one else []
        )
        if draw(st.booleans()):
            one["healthcheck"] = {
                "test": ["CMD", "curl", f"http://localhost:{port}/up"],
                "interval": draw(st.sampled_from(["5s", "1m30s", "36h"])),
                "retries": draw(st.integers(1, 9)),
            }
        one["deploy"] = {
            "replicas": draw(st.integers(1, 4)),
            "resources": {
                "limits": {
                    "memory": draw(st.sampled_from(["512M", "1G", "77M"])),
                    "cpus": draw(st.sampled_from(["0.5", "2", "0.125"])),
                }
            },
        }
        one["stop_grace_period"] = draw(st.sampled_from(["30s", "2m", "48h"]))
        one["stop_signal"] = draw(st.sampled_from(["SIGTERM", "SIGINT"]))
        for other in names[:at]:
            if draw(st.booleans()):
                one["depends_on"][other] = {
                    "condition": "service_started",
                    "required": draw(st.booleans()),
                }
                env["OTHER_URL"] = f"http://{other}:{services[other]['x-port']}/x"
        services.update(stores(draw, name, one, env))
        if draw(st.booleans()):
            one["volumes"] = [f"{name}-data:/var/{name}"]
        if draw(st.booleans()):
            env["API_TOKEN"] = "hunter2"
        services[name] = {**one, "x-port": port}
    return dump({"services": services})


@settings(max_examples=120)
@given(composed())
def test_what_was_imported_comes_back_as_it_was(text: str) -> None:
    first = compose.read(text.encode(), file="c", owner="us", files=lambda _: None)
    assert [one for one in first.remarks if "the descriptor has a mistake" in one.why] == []
    there = [leaving(read(one.text), "prod", "2") for one in first.drafts]
    made = to_compose.export(there, source="x")
    assert "hunter2" not in made.files["compose.yaml"]
    again = compose.read(
        made.files["compose.yaml"].encode(), file="c", owner="nobody", files=lambda _: None
    )

    before = {one.service: yaml.safe_load(one.text) for one in first.drafts}
    assert {one.service: yaml.safe_load(one.text) for one in again.drafts} == before
    assert (
        to_compose.export(
            [leaving(read(one.text), "prod", "2") for one in again.drafts], source="x"
        ).files
        == made.files
    )


@settings(max_examples=200)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
        ),
        max_leaves=25,
    )
)
def test_what_is_written_is_read_as_the_same(value: object) -> None:
    surrogates = any(0xD800 <= ord(char) < 0xE000 for char in repr(value))
    if not surrogates:
        assert yaml.load(dump({"x": value}), yaml.CSafeLoader) == {"x": value}
