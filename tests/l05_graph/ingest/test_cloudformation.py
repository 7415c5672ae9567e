from __future__ import annotations

import pytest

from drystone.l05_graph.ingest.source import Declared
from l05_graph.ingest.reading import needs, read, skips


def stack(value: str, more: str = "") -> Declared:
    return read(
        "cloudformation",
        s__yaml=f"Parameters: {{P: {{Type: String}}}}\nResources:\n  B: {{Type: X::Y::Z}}\n"
        f"  A: {{Type: X::Y::Z, Properties: {{V: {value}}}}}\n{more}",
    )


@pytest.mark.parametrize(
    "value",
    [
        "!Ref B",
        "{Ref: B}",
        "!GetAtt B.Arn",
        "{'Fn::GetAtt': [B, Arn]}",
        "!Sub '${B}'",
        "!Sub 'x-${B.Arn}-${AWS::Region}-${!B}-${P}'",
        "!Sub ['${V}', {V: !Ref B}]",
        "!Join [',', [!Ref B, !Ref P]]",
        "!If [C, !Ref B, !Ref AWS::NoValue]",
        "{Deep: [{Deeper: !Base64 {'Fn::Sub': '${B}'}}]}",
    ],
)
def test_a_reference_in_any_form_is_a_dependency(value: str) -> None:
    found = stack(value)
    assert needs(found) == ["s/A → s/B (hard, at deploy, other)"]
    assert not found.skips


@pytest.mark.parametrize(
    "value", ["!Ref P", "B", "'${B}'", "!Sub '${!B}'", "!Sub ['${B}', {B: x}]"]
)
def test_what_is_no_reference_to_a_resource_is_none(value: str) -> None:
    found = stack(value)
    assert not needs(found)
    assert not found.skips


def test_a_condition_is_noted_where_it_decides() -> None:
    found = stack("!If [OnlyThen, !Ref B, x]", "  C: {Type: X::Y::Z, Condition: OnlyThen}\n")
    assert found.model.dependencies[0].note == "CloudFormation: Ref, if OnlyThen"
    assert found.model.component("s/C").note == "X::Y::Z, only if OnlyThen"


def test_depends_on_is_one_name_or_several() -> None:
    text = "Resources:\n  A: {Type: t, DependsOn: B}\n  B: {Type: t}\n  C: {Type: t, DependsOn: [A, B]}"
    assert len(needs(read("cloudformation", text))) == 3


@pytest.mark.parametrize(
    "name",
    ["net-vpc", "!Sub '${AWS::StackName}-vpc'", "!Join ['-', [!Ref AWS::StackName, vpc]]"],
)
@pytest.mark.parametrize("imported", ["net-vpc", "!Sub '${Net}-vpc'"])
def test_an_import_is_a_dependency_on_what_another_stack_exports(name: str, imported: str) -> None:
    net = f"Resources: {{V: {{Type: t}}}}\nOutputs: {{O: {{Value: !Ref V, Export: {{Name: {name}}}}}}}"
    short = imported.replace("!Sub ", "{'Fn::Sub': ") + ("}" if "!Sub" in imported else "")
    user = (
        "Parameters: {Net: {Default: net}}\n"
        f"Resources: {{A: {{Type: t, Properties: {{X: !ImportValue {short}}}}}}}"
    )
    found = read("cloudformation", net__template__yaml=net, user__yaml=user)
    assert needs(found) == ["user/A → net/V (hard, at deploy, other)"]


def test_exports_and_imports_that_lead_nowhere_are_told() -> None:
    text = """
Resources:
  A: {Type: t, Properties: {X: !ImportValue gone, Y: !ImportValue {"Fn::Select": [0, [a]]}}}
Outputs:
  One: {Value: x, Export: {Name: one}}
  Two: {Value: !Ref A, Export: {Name: one}}
  Three: {Value: !Ref A, Export: {Name: !Select [0, [a]]}}
"""
    found = read("cloudformation", text)
    assert sorted(skips(found)) == [
        "1 times: the export 'one' is there twice; the first counts (1:6)",
        "1 times: the name of an export is computed (1:7)",
        "1 times: the name of an import is computed (1:3)",
    ]
    assert found.notes == (
        "1:5: the export 'one' of One is of no resource",
        "1:3: 'export/gone' is declared nowhere; it counts as external",
    )


def test_what_is_not_carried_out_is_told() -> None:
    text = "Transform: AWS::Serverless\nResources:\n  Fn::ForEach::X: [a, [b], {}]\n  A: {}\n  B: {Type: t}"
    found = read("cloudformation", text)
    assert found.notes == ("1:1: a Transform is not carried out; what it adds is not seen",)
    assert sorted(skips(found)) == [
        "1 times: ForEach among the resources is not unfolded (1:3)",
        "1 times: a resource has no Type (1:4)",
    ]


def test_two_stacks_of_one_name_and_a_reference_to_nothing_are_told() -> None:
    text = "Resources: {A: {Type: t, DependsOn: Gone}}"
    found = read("cloudformation", **{"x/s__json": text, "y/s__yaml": text})
    assert sorted(skips(found)) == [
        "1 times: DependsOn of 'Gone', which the template does not have (x/s.json:1)",
        "1 times: a stack of this name was read before (y/s.yaml:1)",
    ]
