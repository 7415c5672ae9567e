"""From descriptors of Micros' kind to ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.descriptor import Reading, read, resolve
from drystone.l25_deployer.exchange import micros
from drystone.l25_deployer.exchange.drafting import Imported
from drystone.l25_deployer.exchange.errors import ImportRefused

SERVICE = """\
name: Parcel Desk
description: Knows where parcels are.
notifications: {email: desk@example.com}
compose:
  helper: {image: registry.example.com/helper, tag: "3"}
  app:
    image: ${IMAGE}
    tag: ${TAG}
    ports: ["80:9000"]
    links: [helper]
links:
  healthcheck: {uri: up}
  deepcheck: {uri: deep}
  source: {url: "git@example.com:desk/parcels.git"}
computeClassification: {dataType: [UGC/PrimaryIdentifier]}
serviceProxy:
  enabled: true
  egress: {dependencies: [{name: billing}]}
  plugins: {auth: {logLevel: info}}
lifecycleEvents: {source: queue, timeout: 45}
resources:
  - {type: sqs, name: in-box, attributes: &box {MaxReceiveCount: 3, VisibilityTimeout: 60, KmsKey: x}}
  - {type: redisx, name: hot, attributes: {size: 500}}
  - {type: postgres-db, name: main, attributes: {connectionLimit: 20}}
  - {type: dynamo-db, name: seen, attributes: {HashKeyName: Id, TTLAttributeName: Ends}}
  - {type: slauth-gateway, name: ingress}
scaling: {instance: t2.small, min: 2, max: 6}
workers: [{name: Sorter, scaling: {min: 1, max: 3}}]
config:
  environmentVariables:
    MODE: fast
    HELPER: http://helper:7000/x
    SHA: ${GIT_SHA}
    KEY_OF_BILLING: vault://secret/billing
    DB_PASSWORD: hunter2
alarms: {overrides: {TooSlow: null}}
loadBalancer: {type: ALB}
environmentOverrides:
  ddev:
    scaling: {max: 1, min: 1}
    resources:
      - {type: sqs, name: in-box, attributes: {<<: *box}}
      - {type: redisx, name: hot, attributes: {size: 100}}
      - {type: globaledge, name: way, attributes: {domain: [parcels.example.com], ip_whitelist: [public]}}
  prod:
    config: {environmentVariables: {MODE: safe}}
    workers: [{name: Sorter, scaling: {min: 4, max: 9}}]
"""


def taken(text: str) -> Imported:
    return micros.read(text.encode(), file="desk.sd.yml", owner="desk", files=lambda _: None)


def checked(found: Imported) -> Reading:
    reading = read(found.drafts[0].text)
    assert reading.descriptor is not None, reading.report()
    return reading


def test_a_descriptor_becomes_one_of_ours_in_each_environment() -> None:
    reading = checked(taken(SERVICE))
    base = reading.descriptor
    assert base is not None
    dev, prod = (resolve(reading, name).descriptor for name in ("dev", "prod"))

    assert (base.service, base.port, base.image) == (
        "parcel-desk",
        9000,
        "localhost/parcel-desk:${version}",
    )
    assert (base.owner.team, base.owner.contact) == ("desk", "desk@example.com")
    assert (base.health.path, base.deepcheck) == ("/up", "/deep")
    assert base.links == {"source": "ssh://git@example.com/desk/parcels.git"}
    assert base.data == ("ugc/primary-identifier",)
    assert {name: one.type_name for name, one in base.resources.items()} == {
        "in-box": "queue",
        "hot": "cache",
        "main": "postgres",
        "seen": "keyvalue",
    }
    assert base.env["SQS_IN_BOX_QUEUE_URL"] == "${resources.in-box.url}"
    assert base.env["HELPER"] == "http://${sidecars.helper.host}:${sidecars.helper.port}/x"
    assert base.env["KEY_OF_BILLING"] == "${secrets.KEY_OF_BILLING}"
    assert base.dependencies["billing"].needs == "hard"
    assert (base.scale.min, base.scale.max, base.stop.grace.total_seconds()) == (2, 6, 45)
    assert (dev.scale.min, dev.scale.max) == (1, 1)
    assert getattr(dev.resources["hot"], "memory", 0) == 100 * 1024**2
    assert getattr(dev.resources["way"], "hosts", ()) == ("parcels.example.com",)
    assert (prod.env["MODE"], prod.workers["sorter"].scale.min) == ("safe", 4)


def test_what_is_as_everywhere_is_not_said_again() -> None:
    assert "in-box" not in taken(SERVICE).drafts[0].text.partition("environments:")[2]


def test_what_has_no_counterpart_is_told_with_its_line() -> None:
    found = taken(SERVICE)
    told = {(one.kind, one.line, one.path) for one in found.remarks}

    assert {
        ("lost", 10, "compose.app.links"),
        ("lost", 19, "serviceProxy.plugins"),
        ("lost", 22, "resources.in-box.attributes.KmsKey"),
        ("lost", 26, "resources.ingress"),
        ("lost", 27, "scaling.instance"),
        ("todo", 28, "workers"),
        ("lost", 36, "alarms.overrides.TooSlow"),
        ("lost", 37, "loadBalancer"),
    } <= told
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "text", ["", "name: x\n", "compose: {}\n", "- a\n", "name: x\nlinks: *y\n"]
)
def test_what_is_no_such_descriptor_is_refused(text: str) -> None:
    with pytest.raises(ImportRefused):
        taken(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 99999)
    | st.sampled_from(["", "x", "UGC/Label", "${X}", "a b", "http://x:1/y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "name",
                    "type",
                    "attributes",
                    "min",
                    "max",
                    "environmentVariables",
                    "A",
                    "image",
                    "domain",
                    "egress",
                    "dependencies",
                    "uri",
                    "source",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KEYS = (
    "compose",
    "links",
    "resources",
    "config",
    "scaling",
    "workers",
    "serviceProxy",
    "alarms",
    "tags",
    "notifications",
    "more",
)


@settings(max_examples=150)
@given(
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
)
def test_whatever_it_says_comes_out_valid_or_is_refused(
    body: dict[str, object], prod: dict[str, object]
) -> None:
    text = json.dumps({"name": "desk", **body, "environmentOverrides": {"prod": prod}})
    try:
        found = taken(text)
    except ImportRefused:
        return
    assert [one for one in found.remarks if "the descriptor has a mistake" in one.why] == []
    assert "more" not in body or any(one.path == "more" for one in found.remarks)
