"""Each type of resource comes to what its golden file says; and every type that something provides has a case."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from conftest import Golden
from drystone.l25_deployer.stacks.wiring.registry import TYPES, realisation, wire_up
from drystone.l25_deployer.stacks.wiring.shape import Context
from l25_deployer.stacks.samples import MINIMAL, merged, stacks

GOLDEN = Path(__file__).parent / "golden" / "wiring"
CASES = {
    "postgres": "postgres, connections: 5, extensions: [vector], protect: false",
    "bucket": "bucket",
    "cache": "cache, memory: 64Mi, eviction: noeviction",
    "volume": "volume",
    "keyvalue": "keyvalue, key: id, sort: at, ttl: ends, stream: true, indexes: {by-of: {key: of, sort: at}, by-at: at}",
    "queue": "queue, fifo: true, visibility: 1500ms, retain: 1h, attempts: 7, delay: 3s, dead_letter: false",
    "topic": "topic, fifo: true, to: [ordered, plain]",
    "stream": "stream, shards: 3, retain: 36h",
    "encryption-key": "encryption-key, rotate: 90d",
    "edge-route": "edge-route, hosts: [shop.example.com, '*.shop.example.com'], paths: [/api/, /], deny: [loopback]",
    "function": "function, runtime: python, handler: app.run, artifact: code, timeout: 5s, concurrency: 3, on: {jobs: {queue: plain, batch: 2}}",
    "static-site": "static-site, dir: site, hosts: [www.example.com], spa: true, cache: {'assets/*': 365d}, tls: false",
    "certificate": "certificate, hosts: [mail.example.com], use: both, days: 30",
    "batch-job": "batch-job, command: [python3, report.py], size: {cpu: 2, memory: 1Gi}, timeout: 10m, retries: 2, parallel: 3, keep: 7",
    "secret": "secret, generate: ed25519",
    "search": "search, storage: 1Gi, mappings: {books: {title: text, tags: {type: keyword}}, logs: {dynamic: strict, properties: {at: {type: date}}}}",
}
BESIDE = "  ordered: {type: queue, fifo: true}\n  plain: {type: queue}\n"


def test_every_type_that_something_provides_has_a_case_and_says_what_realises_it() -> None:
    assert CASES.keys() == TYPES.keys()
    assert [name for name in TYPES if not realisation(name)] == []


@pytest.mark.parametrize("name", CASES)
def test_a_resource_is_wired_up_to_this(name: str, golden: Golden) -> None:
    text = f"{MINIMAL}resources:\n  it: {{type: {CASES[name]}}}\n{BESIDE}"
    descriptor = merged(text).descriptor
    context = Context(descriptor.service, "dev", descriptor.resources)
    wired = wire_up("it", descriptor.resources["it"], context)
    assert wired is not None
    shown = {
        "entry": wired.entry,
        "injected": {f"IT_{key.upper()}": key for key in wired.outputs},
        "shared": wired.shared,
    }
    content = msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()
    golden(GOLDEN / f"{name}.json", content + "\n")


def test_what_the_service_says_itself_is_never_replaced() -> None:
    queue = "resources: {q: {type: queue}}\n"
    theirs = stacks(MINIMAL + queue + "env: {AWS_REGION: eu-west-1}\n").resources.env
    assert theirs["AWS_REGION"] == ("eu-west-1",)
    assert "AWS_ACCESS_KEY_ID" in theirs
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        env = stacks(MINIMAL + queue + f"env: {{{variable}: mine}}\n").resources.env
        assert {name for name in env if name.startswith("AWS_")} == {
            variable,
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
        }
        assert env[variable] == ("mine",)


def test_a_service_without_such_a_resource_gets_no_variables_of_aws() -> None:
    env = stacks(
        MINIMAL + "resources: {files: {type: bucket}, db: {type: postgres}}\n"
    ).resources.env
    assert [name for name in env if name.startswith("AWS_")] == []


def test_no_stack_holds_a_credential() -> None:
    text = MINIMAL + f"resources:\n  it: {{type: secret}}\n{BESIDE}"
    for name, value in stacks(text).resources.env.items():
        if "KEY" in name or "VALUE" in name:
            assert len(value) == 1
            assert not isinstance(value[0], str), json.dumps(name)
