"""What pages are made from says the same as the library."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l00_kernel.visible import visible
from drystone.l05_graph.reach import impact, is_hard, path
from drystone.l80_governance.dependencies.analysis import Analysis, analysed
from drystone.l80_governance.dependencies.bands import cake_of
from drystone.l80_governance.dependencies.drawing.pictures import stacks
from drystone.l80_governance.dependencies.html import fragment, link, outside, tag
from drystone.l80_governance.dependencies.matrix import MAGIC, TANGLED, UPWARD, dots, labels
from l80_governance.dependencies.reading import Reader
from l80_governance.dependencies.stand import TODAY, grown, hostile, shop


@pytest.fixture(scope="module")
def planted() -> Analysis:
    return analysed(grown(size=200, edges=1200, layers=50, circles=7), TODAY.date())


def test_what_does_not_lead_down_is_what_was_planted(planted: Analysis) -> None:
    assert int(planted.upward.sum()) == 7
    assert planted.layers.is_proven


def test_bands_hold_every_component_once_and_count_every_dependency(planted: Analysis) -> None:
    cake = cake_of(planted)
    assert len(cake.bands) <= 40
    members = np.concatenate([band.members for band in cake.bands])
    assert sorted(members.tolist()) == list(range(planted.graph.size))
    assert cake.counts.sum() == len(planted.graph.source)
    assert cake.upward.sum() == planted.upward.sum()
    assert cake.tangled.sum() == planted.tangled.sum()
    for band in cake.bands:
        layers = planted.layer[band.members]
        assert band.lowest <= layers.min()
        assert layers.max() <= band.highest


def test_what_falls_with_each_is_what_needs_it_hard() -> None:
    analysis = analysed(shop(), TODAY.date())
    assert analysis.reach is not None
    model = analysis.model
    for at, one in enumerate(model.components):
        users = [
            other.name
            for other in model.components
            if other is not one and path(model, other.name, one.name, is_hard)
        ]
        assert analysis.reach[at] == len(users)
        assert len(impact(model, [one.name]).falls) <= len(users)


def test_the_matrix_has_every_dependency_at_its_place(planted: Analysis) -> None:
    sent = dots(planted)
    magic, size, count, width = struct.unpack_from("<4I", sent)
    assert (magic, size, width) == (MAGIC, planted.graph.size, 2)
    assert len(sent) == 16 + count * (2 * width + 1)
    source = np.frombuffer(sent, "<u2", count, 16)
    target = np.frombuffer(sent, "<u2", count, 16 + 2 * count)
    flags = np.frombuffer(sent, np.uint8, count, 16 + 4 * count)
    said = json.loads(labels(planted))
    names = {(said["names"][s], said["names"][t]) for s, t in zip(source, target, strict=True)}
    assert names == {(one.source, one.target) for one in planted.model.dependencies}
    layers = np.array(said["layers"])
    assert np.all(np.diff(layers) >= 0)
    assert np.all(layers[source[flags & UPWARD > 0]] <= layers[target[flags & UPWARD > 0]])
    assert (flags & UPWARD > 0).sum() == 7
    assert (flags & TANGLED > 0).sum() == planted.tangled.sum()
    assert np.all(flags[-7:] & UPWARD)


def test_names_without_measure_do_not_make_the_matrix_large() -> None:
    analysis = analysed(hostile(), TODAY.date())
    assert len(labels(analysis)) < 10_000


def test_the_same_model_gives_the_same_pictures(planted: Analysis) -> None:
    again = analysed(planted.model, planted.today)
    assert dots(again) == dots(planted)
    assert again.order.tolist() == planted.order.tolist()


TEXTS = st.text() | st.text(st.sampled_from("<>&\"'/!-=;abl# \n\u202e"))


@settings(max_examples=50)
@given(TEXTS, TEXTS)
def test_text_comes_out_as_it_went_in(inner: str, attribute: str) -> None:
    written = tag("p", inner, title=attribute).encoded().decode()
    root = Reader(written).root
    assert [one.name for one in root.every()] == ["", "p"]
    assert root.below[0].words == ([] if not inner else [tagless(inner)])
    assert root.below[0].said("title") == tagless(attribute)


def tagless(text: str) -> str:
    """Return what is shown of a text: what a terminal would obey, as escapes."""
    return visible(text).encode("utf-8", "backslashreplace").decode()


@settings(max_examples=50)
@given(TEXTS)
def test_no_text_becomes_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="not a Link"):
        tag("a", "x", href=text)
    assert link("services", q=text).startswith("services?q=")
    found = outside(text)
    assert found is None or found.startswith(("https://", "http://"))


def test_only_addresses_of_the_web_lead_outside() -> None:
    assert outside("https://runbooks.example/a") == "https://runbooks.example/a"
    assert outside("javascript:alert(1)") is None
    assert outside("https://a b") is None
    assert fragment("here") == "#here"


def test_a_stone_of_a_large_model_stands_for_several(planted: Analysis) -> None:
    size = planted.graph.size
    few, some = list(stacks(planted, 1)), list(stacks(planted, 7))
    assert [v for _, each in few for v in each] == planted.order[::-1].tolist()
    assert sorted(v for _, each in some for v in each) == list(range(size))
    assert len(some) < size / 2
    assert all({int(planted.layer[v]) for v in each} == {layer} for layer, each in some)
