from __future__ import annotations

from drystone.l25_deployer.descriptor import Descriptor, read
from drystone.l25_deployer.descriptor.edges import references
from l25_deployer.descriptor.samples import MINIMAL, ORDERS


def descriptor(text: str) -> Descriptor:
    reading = read(text)
    assert reading.descriptor is not None, reading.report()
    return reading.descriptor


def test_everything_that_the_big_example_uses_is_an_edge() -> None:
    found = {
        (edge.kind, edge.name, ".".join(map(str, edge.path)))
        for edge in references(descriptor(ORDERS))
    }
    assert found == {
        ("image", "registry.internal/commerce/orders:${version}", "image"),
        ("secret", "STRIPE_KEY", "secrets"),
        ("config", "commerce/pricing", "config"),
        ("dependency", "billing", "dependencies.billing"),
        ("dependency", "artifacts", "dependencies.artifacts"),
        ("dependency", "mail", "dependencies.mail"),
        ("event", "payment.settled", "events.subscribes.payments"),
        ("queue", "outbox", "events.subscribes.payments.to"),
        ("resource", "db", "env.DATABASE_URL"),
        ("resource", "outbox", "env.OUTBOX_URL"),
        ("dependency", "billing", "env.BILLING_URL"),
    }


def test_a_soft_dependency_is_a_soft_edge_wherever_it_is_used() -> None:
    text = (
        MINIMAL
        + "dependencies: {mail: {needs: soft, without: waits}}\nenv: {M: '${dependencies.mail.url}'}\n"
    )
    assert [edge.hard for edge in references(descriptor(text))] == [False, False]


def test_references_are_found_in_every_command_and_shared_resources_are_edges() -> None:
    text = MINIMAL + (
        "secrets: [KEY]\nresources:\n  db: {type: postgres, shared_from: 'ari:cloud:shop:stock:postgres/db'}\n"
        "workers: {w: {command: [run, '--db=${resources.db.url}'], env: {K: '${secrets.KEY}'}}}\n"
        "deploy: {migrate: [m, '${resources.db.url}']}\n"
    )
    found = [(edge.kind, edge.name, edge.path) for edge in references(descriptor(text))]
    assert (
        "shared",
        "ari:cloud:shop:stock:postgres/db",
        ("resources", "db", "shared_from"),
    ) in found
    assert ("resource", "db", ("workers", "w", "command", 1)) in found
    assert ("secret", "KEY", ("workers", "w", "env", "K")) in found
    assert ("resource", "db", ("deploy", "migrate", 1)) in found


def test_an_escaped_reference_is_no_edge() -> None:
    assert references(descriptor(MINIMAL + "env: {A: '$${resources.db.url}'}\n")) == ()
