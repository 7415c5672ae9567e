"""Two thousand components: totals first, bounded lists, no wall of text."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drystone.l05_graph.arrays import BITS
from drystone.l05_graph.forms.survey_text import dump
from drystone.l05_graph.model import Component, Dependency, checked, phases
from drystone.l05_graph.words import Phase, Strength
from drystone.testing.graphs.planted import planted
from l85_surfaces.cli.conftest import Drystone

WIDEST, LONGEST = 100, 110


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey of 2,000 components with 40,000 dependencies."""
    graph = planted().graph
    columns = (graph.source, graph.target, graph.cost, graph.hard, graph.at)
    edges = {
        one.key: one
        for source, target, cost, hard, at in zip(*(c.tolist() for c in columns), strict=True)
        for one in [
            Dependency(
                source=graph.names[source],
                target=graph.names[target],
                strength=Strength.HARD if hard else Strength.SOFT,
                at=phases(phase for phase in Phase if BITS[phase] & at),
                cost_remove=cost,
            )
        ]
    }
    components = [
        Component(
            name=name,
            owner=f"team {number % 60}",
            tier=number % 4,
            products=(f"product {number % 12}",),
            availability=0.9999,
            slo=0.99 if number % 7 == 0 else None,
        )
        for number, name in enumerate(graph.names)
    ]
    path = tmp_path_factory.mktemp("large") / "large.yaml"
    path.write_text(dump(checked(components, edges.values(), title="Large")))
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "words",
    [
        ["lint"],
        ["tangles"],
        ["untangle", "--time-limit", "60s"],
        ["heat", "--time-limit", "60s"],
        ["layers", "--time-limit", "60s"],
        ["order"],
        ["availability"],
        ["tabletop", "--runs", "3"],
        ["impact", "s672"],
        ["tree", "s217"],
        ["may-add", "s1", "s2"],
    ],
    ids=lambda words: words[0],
)
def test_a_large_model_gives_a_page_and_not_a_wall(
    drystone: Drystone, large: Path, words: list[str]
) -> None:
    said = drystone("deps", *words, "--model", str(large))

    assert said.code in {0, 1}
    assert said.err == ""
    lines = said.out.replace(str(large), "large.yaml").splitlines()
    assert 0 < len(lines) <= LONGEST
    assert [line for line in lines if len(line) > WIDEST] == []


@pytest.mark.slow
def test_the_cheapest_cut_of_a_large_model_is_proven(drystone: Drystone, tmp_path: Path) -> None:
    grown = planted()
    edges = zip(
        grown.graph.source.tolist(),
        grown.graph.target.tolist(),
        grown.graph.cost.tolist(),
        grown.graph.hard.tolist(),
        strict=True,
    )
    (tmp_path / "edges.txt").write_text(
        "".join(f"{source} {target} {cost}\n" for source, target, cost, hard in edges if hard)
    )

    told = msgspec.json.decode(
        drystone("deps", "untangle", "--edges", "edges.txt", "-t", "120", "--json").out
    )

    assert (told["cost"], told["proven"]) == (grown.cost, True)
