from __future__ import annotations

import json

import pytest

from drystone.l05_graph.ingest.source import Declared, Unreadable
from l05_graph.ingest.reading import examples, needs, read, skips, source

SERVICES = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: db}, spec: {selector: {app: db}}}
- {apiVersion: v1, kind: Service, metadata: {name: db, namespace: far}, spec: {selector: {app: db}}}
- {apiVersion: v1, kind: Service, metadata: {name: app}, spec: {selector: {app: app}}}
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db}
  spec: {template: {metadata: {labels: {app: db}}}}
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: db, namespace: far}
  spec: {template: {metadata: {labels: {app: db}}}}
"""


def app(container: dict[str, object], **spec: object) -> Declared:
    pod = {"containers": [{"name": "app", **container}], **spec}
    template = {"metadata": {"labels": {"app": "app"}}, "spec": pod}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {"template": template},
    }
    return read("kubernetes", SERVICES, json.dumps(deployment))


def test_an_image_that_needs_a_secret_to_be_fetched_needs_it_at_a_deploy() -> None:
    found = app({"image": "registry.example/app"}, imagePullSecrets=[{"name": "registry"}])
    assert "app → secret/registry (unknown, at deploy, artifacts)" in needs(found)


def of(name: str, value: str) -> list[str]:
    return needs(app({"env": [{"name": name, "value": value}]}))


@pytest.mark.parametrize(
    ("name", "value", "needed"),
    [
        ("DB_HOST", "db", "db"),
        ("DB_HOST", "db.default", "db"),
        ("DB_HOST", "db.far", "far/db"),
        ("DB_HOST", "db-0.db.far", "far/db"),
        ("DB_HOST", "db-0.db", "db"),
        ("DB_HOST", "DB.Far.SVC.Cluster.Local.", "far/db"),
        ("X", "postgres://user:db-secret@db:5432/app?x=far", "db"),
        ("X", "jdbc:postgresql://db/app", "db"),
        ("X", "db:5432", "db"),
        ("X", "db.far.svc:5432,other:1", "far/db"),
        ("X", "http://gone.far.svc.cluster.local/", "far/service/gone"),
        ("X", "db", None),
        ("X", "https://db.example.com/", None),
        ("DB_HOST", "db.example.com", None),
        ("DB_HOST", "notdb", None),
        ("HOST_NAME", "db", None),
        ("MYSQL_DATABASE", "db", None),
        ("X", "http://dbs/ mailto:a@db-x", None),
        ("APP_URL", "http://app/", None),
    ],
)
def test_a_host_in_a_variable_is_the_service_that_it_means(
    name: str, value: str, needed: str | None
) -> None:
    assert of(name, value) == ([f"app → {needed} (unknown, at run, other)"] if needed else [])


def test_a_value_that_is_called_like_a_service_by_chance_is_told() -> None:
    (note,) = app({"env": [{"name": "LEVEL", "value": "db"}]}).notes
    assert (
        note
        == "2:1: app: the value of LEVEL is called like a Service; it is taken for something else"
    )


def test_an_init_container_that_waits_makes_a_need_at_the_start() -> None:
    waits = [{"name": "w", "command": ["sh", "-c", "until nc -z db 5432; do sleep 1; done"]}]
    assert needs(app({}, initContainers=waits)) == ["app → db (unknown, at start, other)"]
    side = [{"name": "s", "restartPolicy": "Always", "args": ["--upstream=db"]}]
    assert needs(app({}, initContainers=side)) == ["app → db (unknown, at start, run, other)"]


@pytest.mark.parametrize(
    ("container", "needed"),
    [
        ({"args": ["--db-host=db"]}, "app → db (unknown, at run, other)"),
        ({"command": ["serve", "http://db.far/"]}, "app → far/db (unknown, at run, other)"),
        ({"image": "db.far.svc:5000/x:1"}, "app → far/db (unknown, at deploy, artifacts)"),
        (
            {"image": "ghcr.example/x@sha256:00"},
            "app → ghcr.example (unknown, at deploy, artifacts)",
        ),
        (
            {"envFrom": [{"secretRef": {"name": "s"}}]},
            "app → secret/s (hard, at start, configuration)",
        ),
        (
            {
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c", "optional": True}}}
                ]
            },
            "app → configmap/c (soft, at start, configuration)",
        ),
    ],
)
def test_what_a_container_names_is_needed(container: dict[str, object], needed: str) -> None:
    assert needs(app(container)) == [needed]


def test_an_image_without_a_registry_names_nobody() -> None:
    assert needs(app({"image": "library/db:5000"})) == []


def test_the_values_of_secrets_and_variables_appear_nowhere() -> None:
    found = source("kubernetes").read(examples("kubernetes"))
    written = repr(found)
    for secret in ("aHVudGVyMg", "PASSWORD", "5432"):
        assert secret not in written


def test_an_object_that_is_there_twice_is_told_with_both_places() -> None:
    one = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n"
    found = read("kubernetes", a__yaml=f"# x\n{one}", b__yaml=one)
    assert skips(found) == [
        "1 times: the Deployment 'a' is already at a.yaml:2; that counts (b.yaml:1)"
    ]


def test_two_kinds_of_workloads_may_have_one_name() -> None:
    kinds = ("Deployment", "StatefulSet")
    every = [f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: a}}\n" for kind in kinds]
    found = read("kubernetes", "---\n".join(every))
    assert [one.name for one in found.model.components] == ["a", "statefulset/a"]
    assert "like the Deployment at 1:1; it is statefulset/a here" in found.notes[0]


def test_a_template_that_was_not_rendered_says_what_to_do() -> None:
    good = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"
    found = read("kubernetes", good, "kind: {{ .Values.kind }}\n")
    assert "helm template" in found.notes[0]
    with pytest.raises(Unreadable, match="a key must be a text"):
        read("kubernetes", "kind: {{ .Values.kind }}\n")


def test_a_network_policy_leads_from_named_pods_to_named_pods() -> None:
    policy = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: far}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: db}}
      namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}
    - podSelector: {matchExpressions: [{key: app, operator: In, values: [db]}]}
    - namespaceSelector: {}
"""
    found = read("kubernetes", SERVICES, policy)
    assert needs(found) == ["db → far/db (unknown, at run, other)"]
    assert len(skips(found)) == 2


def test_a_service_of_very_many_workloads_stands_for_itself() -> None:
    many = [
        f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}, labels: {{app: many}}}}\n"
        for n in range(101)
    ]
    service = (
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: all}\nspec: {selector: {app: many}}\n"
    )
    user = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: u}\nspec: {containers: [{args: ['all:80']}]}\n"
    found = read("kubernetes", "".join([*many, service, user]))
    assert needs(found) == ["pod/u → service/all (unknown, at run, other)"]
    note = found.model.component("service/all").note
    assert note == "a Service that selects 101 workloads given here"
