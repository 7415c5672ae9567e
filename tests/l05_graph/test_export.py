from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given

from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.export import NoModel, from_json, to_dot, to_graphml, to_json, to_mermaid
from drystone.l05_graph.model import Component, Dependency, Model, checked
from drystone.l05_graph.words import Strength
from l05_graph.models import models


def numbered(model: Model) -> list[tuple[str, str]]:
    return [
        (f"n{model.numbers[d.source]}", f"n{model.numbers[d.target]}") for d in model.dependencies
    ]


@given(models())
def test_json_says_everything_and_is_the_same_whatever_the_order(model: Model) -> None:
    text = to_json(model)
    again = from_json(text)
    assert (again.digest, again.title) == (model.digest, model.title)
    backwards = checked(
        model.components[::-1], model.dependencies[::-1], model.groups[::-1], title=model.title
    )
    assert to_json(backwards) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no model as JSON"),
        (b"\xff{}", "no model as JSON"),
        ("[]", "no model as JSON"),
        ('{"format": "x", "version": 1}', "expected format 'drystone-model'"),
        ('{"format": "drystone-model", "version": 2}', "version 1; got 'drystone-model', 2"),
        ('{"format": "drystone-model", "version": 1, "parts": []}', "parts"),
    ],
)
def test_what_is_no_model_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(NoModel, match=message):
        from_json(text)


def test_json_that_contradicts_itself_is_refused() -> None:
    need = '{"source": "a", "target": "b"}'
    with pytest.raises(ModelInvalid, match="no component 'a'"):
        from_json(f'{{"format": "drystone-model", "version": 1, "dependencies": [{need}]}}')


@given(models())
def test_every_name_and_dependency_is_in_the_dot_text(model: Model) -> None:
    text = to_dot(model)
    nodes = re.findall(r'^  n(\d+) \[label="((?:[^"\\]|\\.)*)"\];\n', text, re.MULTILINE)
    plain = {"\\\\": "\\", '\\"': '"', "\\n": "\n", "\\r": "\r"}
    names = [re.sub(r"\\.", lambda found: plain[found[0]], label) for _, label in nodes]
    assert names == list(model.by_name)
    assert re.findall(r"^  (n\d+) -> (n\d+)", text, re.MULTILINE) == numbered(model)


@given(models())
def test_every_name_and_dependency_is_in_the_mermaid_text(model: Model) -> None:
    text = to_mermaid(model)
    nodes = re.findall(r'^  n\d+\["([^"]*)"\]$', text, re.MULTILINE)
    names = [re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label) for label in nodes]
    assert names == list(model.by_name)
    assert re.findall(r"^  (n\d+) -\.?-> (n\d+)$|x^", text, re.MULTILINE) == numbered(model)


@given(models())
def test_every_name_and_dependency_is_in_the_graphml_text(model: Model) -> None:
    space = "{http://graphml.graphdrawing.org/xmlns}"
    root = ET.fromstring(to_graphml(model).encode())  # noqa: S314 - we have just written it
    names = [node.findtext(f"{space}data[@key='name']") for node in root.iter(f"{space}node")]
    hidden = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
    assert names == [hidden.sub("\ufffd", name) for name in model.by_name]
    edges = [(edge.get("source"), edge.get("target")) for edge in root.iter(f"{space}edge")]
    assert edges == numbered(model)


def test_what_is_marked_is_red_and_what_is_soft_is_dashed() -> None:
    hard = Dependency(source="a", target="b", strength=Strength.HARD)
    soft = Dependency(source="b", target="a", strength=Strength.SOFT)
    model = checked([Component(name="a"), Component(name="b")], [hard, soft])
    assert "n0 -> n1 [color=red];" in to_dot(model, marked=[hard.key])
    assert "n1 -> n0 [style=dashed];" in to_dot(model, marked=[hard.key])
    assert "linkStyle 0 stroke:red" in to_mermaid(model, marked=[hard.key])
    assert "n1 -.-> n0" in to_mermaid(model)
