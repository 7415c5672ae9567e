"""What services may claim together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.errors import PlanRefused, QuotaExceeded
from drystone.l25_deployer.local.quotas import Quotas
from drystone.l25_deployer.local.steering import scale
from drystone.l25_deployer.local.telling import Teller
from drystone.l25_deployer.quota import Amounts, refusals, room
from l25_deployer.reached import all_of, at
from l25_deployer.small_platform import (
    ASKING,
    ByHand,
    Fakes,
    by_hand,
    deploy,
    descriptor,
    folder_of,
    short_folder,
    source,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIELDS = Amounts.__struct_fields__
AMOUNTS = st.builds(
    Amounts,
    st.integers(0, 9).map(float),
    *(st.integers(0, 9 * 1024**2) for _ in range(2)),
    *(st.integers(0, 9) for _ in range(3)),
)
CLAIMS = st.dictionaries(st.sampled_from(["a.dev", "b.dev", "c.prod"]), AMOUNTS)


@given(AMOUNTS, CLAIMS, AMOUNTS)
async def test_what_is_refused_is_too_much_and_more_than_it_was(
    quota: Amounts, claims: dict[str, Amounts], wanted: Amounts
) -> None:
    after = {**claims, "a.dev": wanted}
    said = "\n".join(refusals(quota, claims, "a.dev", wanted))
    for field in FIELDS:
        most = getattr(quota, field)
        total = sum(getattr(one, field) for one in after.values())
        before = getattr(claims.get("a.dev", Amounts()), field)
        is_refused = f"raise quota.{field}" in said
        assert is_refused == bool(most and total > most and getattr(wanted, field) > before)


@given(AMOUNTS, CLAIMS)
async def test_what_claims_no_more_than_it_did_is_never_refused(
    quota: Amounts, claims: dict[str, Amounts]
) -> None:
    for name, claim in claims.items():
        assert refusals(quota, claims, name, claim) == []


@given(AMOUNTS, CLAIMS, st.integers(1, 9))
async def test_as_many_come_as_fit_and_no_more(
    quota: Amounts, claims: dict[str, Amounts], count: int
) -> None:
    one = Amounts(cpu=1.5, memory=1024**2, instances=1)
    fits, why = room(quota, claims, one, count)
    assert (fits < count) == bool(why)
    for field in ("cpu", "memory", "instances"):
        most = getattr(quota, field)
        used = sum(getattr(claim, field) for claim in claims.values())
        if most and fits:
            assert used + fits * getattr(one, field) <= most
    if fits < count:
        assert any(
            getattr(quota, field)
            and sum(getattr(claim, field) for claim in claims.values())
            + (fits + 1) * getattr(one, field)
            > getattr(quota, field)
            for field in ("cpu", "memory", "instances")
        )


@pytest_asyncio.fixture(loop_scope="module")
async def p() -> AsyncIterator[tuple[ByHand, Path]]:
    quotas = Quotas(Amounts(instances=4, disk=3 * 1024**3, services=2))
    with short_folder() as folder:
        async with by_hand(folder / "h", free_port(), Fakes(quotas=quotas)) as platform:
            yield platform, folder


async def test_two_deploys_at_once_do_not_pass_it_together(p: tuple[ByHand, Path]) -> None:
    platform, folder = p
    texts = [descriptor(name, more="scale: 3") for name in ("one", "two")]
    folders = [folder_of(folder / name) for name in ("one", "two")]
    ended = await asyncio.gather(
        *(deploy(platform.deployer, *both) for both in zip(texts, folders, strict=True)),
        return_exceptions=True,
    )
    [refused] = [one for one in ended if isinstance(one, BaseException)]
    assert isinstance(refused, PlanRefused)
    lost = "one" if refused is ended[0] else "two"
    won = "two" if lost == "one" else "one"
    said = (
        f"the quota of this host is 4 instances, and this would make it 6 instances: 3 instances of {lost}.dev itself, 3"
        f" instances of {won}.dev; make 'scale' smaller, or another service, or let the owner of the home raise quota.instances"
    )
    assert str(refused) == said
    text = texts[0] if lost == "one" else texts[1]
    view = await platform.deployer.plan(
        ASKING, source=source(text, folder / lost), environment="dev"
    )
    assert view.refused == [said]
    less = text.replace("scale: 3", "scale: 1")
    await deploy(platform.deployer, less, folder / lost)
    await deploy(platform.deployer, descriptor(won, more="scale: 3"), folder / won)

    kept = platform.kept(lost)
    tell = Teller(lambda _: None, kept.machine.clock)
    with pytest.raises(QuotaExceeded, match="leaves room for 0 more and not for 1, 3 instances of"):
        await scale(kept, tell, count=2, group=None, by="ann")
    third = descriptor("three")
    with pytest.raises(PlanRefused, match=r"is 2 services, .* destroy a service that nobody needs"):
        await deploy(platform.deployer, third, folder_of(folder / "three"))
    large = descriptor(lost, more="resources: {data: {type: volume, storage: 4Gi}}")
    with pytest.raises(PlanRefused, match=r"is 3Gi of disk, and this would make it 4Gi of disk"):
        await deploy(platform.deployer, large, folder / lost)

    beside = descriptor(won, more="scale: 2")
    with pytest.raises(PlanRefused, match="would make it 6 instances: 5 instances of"):
        await deploy(platform.deployer, beside, folder / won, key="held", hold=True)

    await all_of(platform.deployer.destroy(ASKING, **at(won)))
    await deploy(platform.deployer, text, folder / lost)
    assert len((await platform.deployer.show(ASKING, **at(lost))).instances) >= 3


async def test_no_quota_is_no_bound() -> None:
    assert not Quotas().is_set
    assert refusals(Amounts(), {}, "a.dev", Amounts(cpu=9e9, memory=10**15)) == []
    assert msgspec.structs.astuple(Amounts()) == (0.0, 0, 0, 0, 0, 0)
