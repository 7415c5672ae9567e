"""The reference is what the code says: made from it, and complete."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import openapi_spec_validator
import pytest

from conftest import Golden
from docs.figure import with_figure
from docs.pages import ROOT, pages
from docs.policy_pages import input_page
from docs.reference_pages import (
    APIS,
    api_page,
    attributes,
    errors,
    errors_page,
    fault_points_page,
    observed_page,
    openapi_text,
    settings_page,
)
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import Settings
from drystone.l25_deployer.descriptor.json_schema import json_schema

REFERENCE = ROOT / "docs" / "reference"
COMMAND = re.compile(r"^### drystone (\w+)$", re.MULTILINE)
WRITTEN = "\n".join(page.text for page in pages() if not page.is_made)
"""What somebody wrote, without the pages that are made from the code and so mention everything."""


def test_the_page_of_settings_is_that_of_the_types(golden: Golden, tmp_path: Path) -> None:
    golden(REFERENCE / "settings.md", settings_page(Home(tmp_path)))


def test_the_page_of_errors_is_that_of_the_classes(golden: Golden) -> None:
    golden(REFERENCE / "errors.md", errors_page())


def test_the_page_of_fault_points_is_that_of_the_code(golden: Golden) -> None:
    golden(REFERENCE / "fault-points.md", fault_points_page())


def test_the_page_of_observations_is_that_of_the_sources(golden: Golden) -> None:
    golden(REFERENCE / "ingest-observed.md", observed_page())


def test_the_page_of_what_policies_see_is_that_of_the_types(golden: Golden) -> None:
    golden(REFERENCE / "policy-input.md", input_page())


def test_the_page_of_the_api_is_that_of_the_contract(golden: Golden) -> None:
    golden(REFERENCE / "api.md", api_page())


def test_the_openapi_document_is_that_of_the_contract(golden: Golden) -> None:
    for name in APIS:
        golden(REFERENCE / f"{name}.openapi.json", openapi_text(name))


def test_the_figure_of_the_layers_is_that_of_the_imports(golden: Golden) -> None:
    page = ROOT / "docs" / "architecture.md"
    golden(page, with_figure(page.read_text("utf-8")))


def test_the_openapi_document_is_one() -> None:
    for name in APIS:
        openapi_spec_validator.validate(json.loads(openapi_text(name)))


def test_the_python_of_the_api_page_names_what_is_there() -> None:
    (block,) = (b for page in pages() if page.path.endswith("/api.md") for b in page.blocks)
    names: dict[str, object] = {}
    exec(compile(block.text, "api.md", "exec"), names)  # noqa: S102 - our own page
    assert inspect.iscoroutinefunction(names["names"])


def test_every_error_has_a_code_of_its_own_and_a_meaning() -> None:
    found = errors()
    assert len({error.code() for error in found}) == len(found) > 40
    assert [e.code() for e in found if not (e.__doc__ or "").partition("\n")[0].endswith(".")] == []


def test_the_meaning_of_an_attribute_may_take_several_lines() -> None:
    class Two:
        """Two.

        Attributes:
            one: Of several
                words, ``x``.
            two: Of two.
        """

    assert attributes(Two) == {"one": "Of several words, `x`.", "two": "Of two."}


@pytest.mark.parametrize("command", COMMAND.findall((REFERENCE / "cli.md").read_text("utf-8")))
def test_every_command_is_explained_outside_of_the_reference(command: str) -> None:
    assert re.search(rf"drystone {command}\b", WRITTEN)


def test_every_setting_or_its_table_is_explained_outside_of_the_reference() -> None:
    tables = {field for field in Settings.__struct_fields__ if field != "sources"}
    assert [table for table in sorted(tables) if not re.search(rf"\b{table}\b", WRITTEN)] == []


def test_every_key_of_the_descriptor_is_in_the_glossary() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    keys = json_schema()["properties"]
    assert isinstance(keys, dict)
    assert len(keys) > 30
    assert [key for key in keys if f"`{key}`" not in glossary] == []
