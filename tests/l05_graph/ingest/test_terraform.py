from __future__ import annotations

import json

import pytest

from drystone.l05_graph.ingest.source import Declared, Unreadable
from drystone.l05_graph.ingest.terraform_state import without_indexes
from drystone.l05_graph.words import Kind
from l05_graph.ingest.reading import examples, needs, read, skips, source


def resource(
    type_: str, name: str, *instances: dict[str, object], **more: str
) -> dict[str, object]:
    return {"mode": "managed", "type": type_, "name": name, "instances": instances, **more}


def state(*resources: dict[str, object]) -> Declared:
    return read("terraform-state", json.dumps({"version": 4, "resources": resources}))


def graph(*lines: str) -> Declared:
    return read("terraform-graph", "\n".join(["digraph G {", *lines, "}"]))


def test_nothing_of_attributes_outputs_or_private_data_is_kept() -> None:
    written = repr(source("terraform-state").read(examples("terraform-state")))
    for secret in ("hunter2", "aHVudGVyMg", "ami-1", "vpc-1", "lineage"):
        assert secret not in written


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("a.b", "a.b"),
        ("a.b[0]", "a.b"),
        ('module.x["a.b"].module.y[1].a.b["c]"]', "module.x.module.y.a.b"),
        ('a.b["\\"]"]', "a.b"),
    ],
)
def test_indexes_are_taken_off_an_address(address: str, plain: str) -> None:
    assert without_indexes(address) == plain


def test_instances_of_a_module_and_of_a_resource_are_one_component() -> None:
    found = state(
        resource("aws_vpc", "v", {"index_key": 0}, module="module.m[0]"),
        resource("aws_vpc", "v", {"index_key": 0}, module="module.m[1]"),
        resource("aws_lb", "l", {"index_key": "x", "dependencies": ["module.m.aws_vpc.v"]}),
    )
    assert [one.name for one in found.model.components] == ["module.m.aws_vpc.v", "aws_lb.l"]
    assert found.model.component("aws_lb.l").note == "1 instances: x"
    assert needs(found) == ["aws_lb.l → module.m.aws_vpc.v (hard, at deploy, network)"]


def test_what_terraform_only_reads_is_external_and_a_mode_that_is_none_is_told() -> None:
    data = {**resource("aws_ami", "a"), "mode": "data"}
    found = state(data, {**resource("aws_ami", "b"), "mode": "other"}, resource("x", "y"))
    assert found.model.component("data.aws_ami.a").kind is Kind.EXTERNAL
    assert skips(found) == ["1 times: a resource is neither managed nor data (1 aws_ami.b)"]


def test_a_dependency_that_is_no_address_and_one_on_itself_are_told() -> None:
    found = state(resource("a", "b", {"dependencies": ["nonsense", "a.b"]}))
    assert sorted(skips(found)) == [
        "1 times: a dependency is no address of a resource (1 a.b)",
        "1 times: depends on itself, which a component always has (1 a.b a.b)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 3, "resources": []}', "the state is of version 3; only version 4"),
        ('{"resources": []}', "missing required field `version`"),
        (
            '{"version": 4, "resources": [{"mode": "managed"}]}',
            r"`type` - at `\$.resources\[0\]`",
        ),
        ('{"version": 4, "resources": [{"mode": "hunter2", "type": 1}]}', "Expected `str`"),
        ('{"version": 4, "resources": []}', "the files hold no resource of a Terraform state"),
        ('{"version": 4, "resources": [', "this is no Terraform state"),
        ('{"version": 4, "outputs": ' + "[" * 50_000, "no Terraform state|too deeply"),
    ],
)
def test_what_is_no_state_is_refused_and_quotes_no_value(text: str, message: str) -> None:
    with pytest.raises(Unreadable, match=message) as refused:
        read("terraform-state", text)
    assert "hunter2" not in str(refused.value)


def test_what_only_computes_is_passed_through() -> None:
    found = graph(
        '"a.x" -> "local.l"',
        '"local.l" -> "module.m.output.o"',
        '"module.m.output.o" -> "module.m.b.y"',
        '"local.l" -> "local.l2"',
        '"local.l2" -> "local.l"',
        '"a.x"',
        '"module.m.b.y"',
    )
    assert needs(found) == ["a.x → module.m.b.y (hard, at deploy, other)"]


def test_the_end_of_a_module_is_another_node_than_its_begin() -> None:
    found = graph(
        '"[root] module.m.a.x (expand)" -> "[root] module.m (expand)"',
        '"[root] module.m (close)" -> "[root] module.m.a.x (expand)"',
        '"[root] b.y (expand)" -> "[root] module.m (close)"',
    )
    assert needs(found) == ["b.y → module.m.a.x (hard, at deploy, other)"]
    assert not found.skips


def test_what_is_destroyed_makes_no_need() -> None:
    found = graph('"a.x"', '"a.x (destroy)" -> "b.y (destroy)"', '"a.x" -> "a.x"')
    assert not needs(found)
    assert sorted(skips(found)) == [
        "1 times: depends on itself (1:4)",
        "1 times: what is only destroyed is left out; its order is the other way round (1:3)",
    ]


def test_a_line_that_is_none_and_a_missing_end_are_told() -> None:
    text = 'digraph {\n"a.x" [label = "a"]\nnonsense here\n"a.x" -> "b'
    assert sorted(skips(read("terraform-graph", text))) == [
        "1 times: the end comes before the graph is closed; was the file cut? (1)",
        "2 times: a line is nothing that 'terraform graph' prints (1:3, 1:4)",
    ]


@pytest.mark.parametrize("text", ["graph {\n}", "digraph {\n}\n}", "a\n", 'digraph {\n}\n"a.b"'])
def test_what_is_no_graph_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(Unreadable, match=r"1:\d: the graph begins with 'digraph \{'"):
        read("terraform-graph", text)
