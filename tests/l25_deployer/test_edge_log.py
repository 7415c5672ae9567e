"""What the log of a platform's own edge shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drystone.l05_graph.model import Component, Model, checked
from drystone.l10_engines.proxy.edge_listener import LOG_FIELDS
from drystone.l25_deployer.edge_log import AT_THE_EDGE, SOURCE, EdgeLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def platform(*names: str) -> Model:
    return checked([Component(name=name) for name in names], [])


def line(service: str, *, status: int = 200, at: str = "2026-11-22T09:46:34.765Z") -> str:
    said = dict.fromkeys(LOG_FIELDS, "-") | {"service": service, "status": status, "time": at}
    said |= {"client": "127.0.0.1", "method": "GET", "path": "/orders/7", "flags": "-"}
    return json.dumps(said) + "\n"


def test_services_of_environments_and_of_the_platform_are_named_as_the_model_does(
    log: Path,
) -> None:
    log.write_text(line("orders.dev") + line("orders.prod", status=503) + line("dependencies"))
    model = platform("dev/orders", "prod/orders", "platform/dependencies")

    (batch,) = EdgeLog(log).batches(model)

    assert batch.source == SOURCE
    assert [(one.caller, one.callee, one.calls, one.errors) for one in batch.observations] == [
        (AT_THE_EDGE, "dev/orders", 1, 0),
        (AT_THE_EDGE, "platform/dependencies", 1, 0),
        (AT_THE_EDGE, "prod/orders", 1, 1),
    ]


def test_a_call_between_services_counts_once_for_the_one_who_called(log: Path) -> None:
    told = {"listener": "outbound", "caller": "dev/desk"}
    way = json.dumps({**json.loads(line("billing.dev", status=503)), **told}) + "\n"
    arrived = way.replace("outbound", "inbound")
    outside = {"listener": "egress", "caller": "dev/desk", "host": "api.example.com:443"}
    out = json.dumps({"time": "2026-11-22T09:46:34.765Z", **outside}) + "\n"
    log.write_text(way + arrived + out)

    (batch,) = EdgeLog(log).batches(platform("dev/billing", "dev/desk"))

    assert batch.skipped == 0
    assert [(one.caller, one.callee, one.calls, one.errors) for one in batch.observations] == [
        ("dev/desk", "dev/billing", 1, 1),
        ("dev/desk", "external:api.example.com", 1, 0),
    ]


def test_the_log_before_counts_once_and_nothing_is_read_twice(log: Path) -> None:
    edge, model = EdgeLog(log), platform("dev/orders")
    assert edge.batches(model) == ()
    log.write_text(line("orders.dev") * 3)
    first = edge.batches(model)
    assert edge.batches(model) is first
    log.rename(log.with_name("access.log.1"))
    log.write_text(line("orders.dev") * 2)

    calls = [one.observations[0].calls for one in edge.batches(model)]

    assert calls == [3, 2]
    assert edge.batches(model)[0] is first[0]


def test_a_line_that_is_being_written_and_one_that_is_none_are_left_out(log: Path) -> None:
    log.write_text(line("orders.dev") + "nonsense\n" + line("orders.dev")[:60])

    (batch,) = EdgeLog(log).batches(platform("dev/orders"))

    assert batch.observations[0].calls == 1
    assert batch.skipped == 2


def test_a_service_that_came_later_is_known_by_its_name(log: Path) -> None:
    edge = EdgeLog(log)
    log.write_text(line("orders.dev"))
    assert edge.batches(platform())[0].observations[0].callee == "orders.dev"
    assert edge.batches(platform("dev/orders"))[0].observations[0].callee == "dev/orders"
