from __future__ import annotations

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from conftest import Golden
from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l25_deployer.descriptor import read
from drystone.l25_deployer.descriptor.json_schema import json_schema, json_schema_text
from drystone.l25_deployer.descriptor.reading import DESCRIPTOR
from drystone.l25_deployer.descriptor.reference_page import reference_page
from drystone.l25_deployer.descriptor.schema.resources import Later
from drystone.l25_deployer.stacks.acted_on import RESOURCES, sentence_for
from drystone.l25_deployer.stacks.wiring.registry import realisation
from l25_deployer.descriptor.samples import EXAMPLES, MINIMAL, ORDERS, damaged

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def holds(text: str) -> bool:
    root = read_document(text, "x.yaml", DESCRIPTOR).root
    assert root is not None
    return bool(jsonschema.Draft202012Validator(json_schema()).is_valid(plain(root)))


def test_the_json_schema_in_the_documentation_is_that_of_the_types(golden: Golden) -> None:
    golden(REFERENCE / "descriptor.schema.json", json_schema_text())


def test_the_reference_page_in_the_documentation_is_that_of_the_types(golden: Golden) -> None:
    golden(REFERENCE / "descriptor.md", reference_page(sentence_for, realisation))


def test_the_reference_page_names_every_type_of_resource() -> None:
    page = reference_page(sentence_for, realisation)
    assert len(Later.TYPES) == 21
    assert [
        name
        for name in (*Later.TYPES, *(key for key in RESOURCES if "." not in key))
        if name not in page
    ] == []


def test_the_json_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_json_schema_accepts_the_examples(path: Path) -> None:
    assert read(path.read_bytes()).report() == ""
    assert holds(path.read_text())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tier: 1", "tier: 9"),
        ("visibility: 2m", "visibilty: 2m"),
        ("type: queue", "type: queues"),
        ("strategy: progressive", "strategy: canary"),
        ("needs: hard", "needs: very"),
        ("prod.eu-west:", "prod.EU:"),
        ("cron: ", "at: 2030-01-01T00:00:00Z, cron: "),
        ("service: orders\n", ""),
        ("expire: 90d", "expire: 90 days"),
    ],
)
def test_the_json_schema_refuses_what_reading_refuses(old: str, new: str) -> None:
    text = damaged(ORDERS, old, new)
    assert read(text).problems != ()
    assert not holds(text)


def test_the_json_schema_allows_notes_and_empty_blocks() -> None:
    text = MINIMAL + (
        "x-note: {any: [thing]}\nhealth: {x-why: slow start}\nenv:\nnetwork:\n"
        "schedules: {x-old: {queue: gone, every: never}}\nresources: {x-a: {data: [b], to: [c]}}\n"
    )
    assert read(text).report() == ""
    assert holds(text)
