"""From Score workloads to descriptors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.descriptor import Descriptor, read
from drystone.l25_deployer.exchange import score
from drystone.l25_deployer.exchange.drafting import Imported
from drystone.l25_deployer.exchange.errors import ImportRefused

WORKLOAD = """\
apiVersion: score.dev/v1b1
metadata:
  name: orders
  annotations: {team: x}
service:
  ports:
    web: {port: 80, targetPort: 9000}
    admin: {port: 9001}
containers:
  main:
    image: registry.example.com/orders:1
    command: [/bin/sh, -c]
    args: ["serve $${HOME}"]
    variables:
      DSN: "postgres://${resources.db.username}:${resources.db.password}@${resources.db.host}:${resources.db.port}/${resources.db.name}"
      ME: ${metadata.name}
      MAILS: http://${resources.mails.hostname}:${resources.mails.port}
      FLAG: ${resources.env.FLAG}
      API_TOKEN: hunter2
      LIT: $$_$${x}
      QUEUE: ${resources.queue.host}
    files: {/etc/x: {content: x}}
    volumes: {/data: {source: "${resources.disk}"}}
    resources: {limits: {cpu: 250m, memory: 1Gi}, requests: {cpu: 100m}}
    livenessProbe: {httpGet: {path: /live, port: 9000}}
    readinessProbe: {httpGet: {path: /ready, port: 9000}}
  proxy:
    image: envoy:1
resources:
  db: {type: postgres}
  disk: {type: volume}
  env: {type: environment}
  mails: {type: service-port, params: {workload: mailer, port: web}}
  queue: {type: amqp}
  way: {type: dns}
"""


def taken(text: str) -> Imported:
    return score.read(text.encode(), file="score.yaml", owner="shop", files=lambda _: None)


def only(found: Imported) -> Descriptor:
    reading = read(found.drafts[0].text)
    assert reading.descriptor is not None, reading.report()
    return reading.descriptor


def test_a_workload_becomes_a_descriptor() -> None:
    found = only(taken(WORKLOAD))

    assert (found.service, found.image, found.port) == (
        "orders",
        "registry.example.com/orders:1",
        9000,
    )
    assert found.command == ("/bin/sh", "-c", "serve $${HOME}")
    assert found.env == {
        "DSN": "postgres://${resources.db.user}:${resources.db.password}"
        "@${resources.db.host}:${resources.db.port}/${resources.db.name}",
        "ME": "${service}",
        "MAILS": "http://${dependencies.mailer.host}:${dependencies.mailer.port}",
        "FLAG": "${secrets.FLAG}",
        "API_TOKEN": "${secrets.API_TOKEN}",
        "LIT": "$_$${x}",
        "QUEUE": "",
    }
    assert (found.size.cpu, found.size.memory) == (0.25, 1024**3)
    assert (found.health.path, found.health.port) == ("/ready", 9000)
    assert {name: one.type_name for name, one in found.resources.items()} == {
        "db": "postgres",
        "disk": "volume",
    }
    assert (list(found.sidecars), found.network.ingress.public) == (["proxy"], True)
    assert found.dependencies["mailer"].needs == "hard"


def test_what_has_no_counterpart_is_told_with_its_line() -> None:
    found = taken(WORKLOAD)
    told = {(one.kind, one.line, one.path) for one in found.remarks}

    assert {
        ("lost", 4, "metadata.annotations"),
        ("lost", 8, "service.ports.admin"),
        ("lost", 22, "containers.main.files"),
        ("todo", 23, "containers.main.volumes"),
        ("lost", 24, "containers.main.resources.requests"),
        ("lost", 34, "resources.queue"),
        ("todo", 21, "containers.main.variables.QUEUE"),
    } <= told
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (WORKLOAD.replace("v1b1", "v9"), "only score.dev/v1b1"),
        ("metadata: {name: x}\n", "only score.dev"),
        ("apiVersion: score.dev/v1b1\nmetadata: {name: x}\n", "no containers"),
        ("", "no Score workload"),
        ("a: *b\n", "no Score workload"),
    ],
)
def test_what_cannot_be_imported_is_refused(text: str, says: str) -> None:
    with pytest.raises(ImportRefused, match=says):
        taken(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 99999)
    | st.sampled_from(["", ".", "x", "${resources.r.host}", "$${", "${", "1Gi"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["a", "B", "image", "type", "limits", "httpGet", "source", "r", "cpu", "port"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(["metadata", "service", "containers", "resources", "more"]),
        VALUES,
        max_size=5,
    )
)
def test_whatever_a_workload_says_comes_out_valid_or_is_refused(body: dict[str, object]) -> None:
    try:
        found = taken(json.dumps({"apiVersion": score.VERSION, **body}))
    except ImportRefused:
        return
    assert [one for one in found.remarks if "the descriptor has a mistake" in one.why] == []
    assert "more" not in body or any(one.path == "more" for one in found.remarks)
