"""What was refused, as evidence beside the dependency model."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.evidence import REFUSED, Evidence
from drystone.l05_graph.findings import Rule, Rules, Severity
from drystone.l05_graph.model import Component, checked
from drystone.l05_graph.observed import differences
from drystone.l35_mesh.observed.api import RefusalView
from drystone.l35_mesh.observed.evidence import batch_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENTS = st.integers(0, 3600).map(lambda s: NOON + timedelta(seconds=s))
VIEWS = st.builds(
    lambda caller, component, times, at: RefusalView(
        caller=caller,
        target="x",
        component=component,
        what="w",
        times=times,
        first=min(at),
        last=max(at),
        do="d",
    ),
    st.sampled_from(["", "dev/desk", "dev/shop"]),
    st.sampled_from(["", "dev/desk", "dev/billing", "external:a.example"]),
    st.integers(1, 9),
    st.tuples(MOMENTS, MOMENTS),
)


@settings(max_examples=50)
@given(
    views=st.lists(VIEWS, max_size=12).flatmap(lambda v: st.tuples(st.just(v), st.permutations(v)))
)
def test_evidence_counts_every_attempt_of_a_service_once_in_whatever_order(
    views: tuple[list[RefusalView], list[RefusalView]],
) -> None:
    some, mixed = views
    batch = batch_of(some)
    assert batch == batch_of(mixed)
    told = [one for one in some if one.caller and one.component not in {"", one.caller}]
    assert sum(one.calls for one in batch.observations) == sum(one.times for one in told)
    assert all(one.errors == one.calls for one in batch.observations)
    assert batch.first == min((one.first for one in told), default=None)
    assert batch.last == max((one.last for one in told), default=None)


def test_what_was_tried_in_vain_is_a_finding_that_says_where_its_line_is() -> None:
    view = RefusalView(
        caller="dev/desk",
        target="dev/billing",
        component="dev/billing",
        what="w",
        times=3,
        first=NOON,
        last=NOON,
        do="d",
    )
    model = checked([Component(name="dev/desk"), Component(name="dev/billing")], [])
    rules = Rules(levels={Rule.UNDECLARED: Severity.WARNING})
    (found,) = differences(model, Evidence((batch_of([view]),)), rules, date(2026, 11, 22))
    assert found.sentence.startswith("dev/desk tried in vain to call dev/billing")
    assert f"{REFUSED}: 3 calls, 3 failed" in found.sentence
    assert "`drystone refusals`" in found.advice
