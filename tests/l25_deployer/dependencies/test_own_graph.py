"""The platform's own descriptors, held to the rules that it has for everybody."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import drystone
from drystone.l05_graph.arrays import graph_of
from drystone.l05_graph.findings import LEVELS, Rule, Rules, Severity
from drystone.l05_graph.model import Dependency, Model, checked
from drystone.l05_graph.rules import check
from drystone.l05_graph.tangles import tangles
from drystone.l05_graph.words import Kind, Phase, Strength
from drystone.l25_deployer.dependencies.model import model_of_descriptors
from drystone.l25_deployer.descriptor import read

TODAY = date(2026, 1, 1)


def own() -> Model:
    files = sorted(Path(drystone.__file__).parent.rglob("service.yaml"))
    readings = [read(one.read_bytes(), file=str(one), embedded_allowed=True) for one in files]
    assert len(readings) >= 4
    return model_of_descriptors([one.descriptor for one in readings if one.descriptor is not None])


def errors(model: Model) -> list[Rule]:
    # That a dependency of the platform's own counts as said is checked as an error here.
    levels = {**LEVELS, Rule.STRENGTH: Severity.ERROR}
    found = check(model, Rules(levels=levels), TODAY)
    return [one.rule for one in found if one.severity is Severity.ERROR]


def test_the_platform_itself_has_no_tangle_no_upward_need_and_no_unsaid_strength() -> None:
    model = own()
    assert model.dependencies
    assert not tangles(graph_of(model))
    assert errors(model) == []


def test_nothing_of_the_platform_is_needed_and_not_there_and_each_part_knows_its_layer() -> None:
    for component in own().components:
        assert component.kind is not Kind.EXTERNAL, component.name
        assert component.layer is not None, component.name
        assert component.owner, component.name


def test_a_need_of_the_other_direction_would_be_found() -> None:
    model = own()
    one = next(one for one in model.dependencies if one.is_hard and Phase.START in one.at)
    back = Dependency(
        source=one.target, target=one.source, strength=Strength.HARD, at=(Phase.START,)
    )
    assert {Rule.DEADLOCK, Rule.LAYER} <= {
        *errors(checked(model.components, [*model.dependencies, back]))
    }
