"""Which certificates the edge and services have, as time passes and people provide others."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from drystone.l00_kernel.clock import ManualClock
from drystone.l10_engines.certificates import (
    ends,
    hosts_of,
    make_authority,
    make_certificate,
    serial_of,
)
from drystone.l10_engines.proxy.edge import EdgeService, EdgeWay, Shown
from drystone.l20_trust.certificates.issuer import Issuer
from drystone.l20_trust.certificates.shown import ShownFiles
from drystone.l25_deployer.errors import WayTaken
from drystone.l25_deployer.local.edge_certificates import LIFE, EdgeCertificates
from drystone.l25_deployer.local.resources.certificate import ServiceCertificates
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.local.ways_in import Claimant, Ways
from drystone.l25_deployer.stacks.ways import Certificate

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
HOST = "shop.example.com"
SHOP = EdgeService(
    name="shop.dev", hosts=("shop.dev.localhost",), ways=(EdgeWay(hosts=(HOST,), tls=True),)
)
MAIL = Owner("dev", "shop", "mail")
WANTED = Certificate(hosts=(), use="server", days=30)


class Home:
    """The certificates of a home whose clock a test moves."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(NOW)
        self.ways = Ways()
        self.issuer = Issuer(folder / "services", self.clock)
        self.files = ShownFiles(folder / "edge")
        self.held = ServiceCertificates(
            folder / "held", issuer=self.issuer, ways=self.ways, clock=self.clock
        )
        self.edge = self.another()

    def another(self) -> EdgeCertificates:
        """Another life of the agent."""
        return EdgeCertificates(
            self.files,
            issuer=self.issuer,
            clock=self.clock,
            port=8443,
            ways=self.ways,
            held=self.held,
        )

    async def shown(
        self, *services: EdgeService, edge: EdgeCertificates | None = None
    ) -> dict[str, Shown]:
        found = await (edge or self.edge).of(services or (SHOP,))
        return {one.hosts[0]: one for one in found.shown} if found is not None else {}

    def provide(self, life: timedelta) -> str:
        pair = make_certificate(
            "x",
            authority=make_authority("others", life=life),
            life=life,
            domains=[HOST],
            now=self.clock.now(),
        )
        self.files.provide(HOST, pair.certificate, pair.key, self.clock.now())
        return serial_of(pair.certificate)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def test_nothing_is_made_while_nobody_wants_it(home: Home, tmp_path: Path) -> None:
    plain = EdgeService(name="a.dev", hosts=("a.dev.localhost",), ways=(EdgeWay(hosts=("a.b",)),))
    assert await home.shown(plain) == {}
    assert list(tmp_path.iterdir()) == []


async def test_a_host_keeps_its_certificate_until_two_thirds_of_its_life_are_over(
    home: Home,
) -> None:
    first = (await home.shown())[HOST]
    assert (await home.shown(edge=home.another()))[HOST].certificate == first.certificate
    await home.clock.advance(LIFE * 2 / 3 - timedelta(minutes=1))
    assert not home.edge.is_due()
    assert (await home.shown())[HOST].certificate == first.certificate
    await home.clock.advance(timedelta(minutes=2))
    assert home.edge.is_due()
    second = (await home.shown())[HOST]
    assert second.certificate != first.certificate
    assert ends(second.certificate) == home.clock.now() + LIFE
    assert not home.edge.is_due()


async def test_the_names_of_this_machine_follow_the_environments(home: Home) -> None:
    first = (await home.shown())["localhost"]
    assert hosts_of(first.certificate) == ("localhost", "*.dev.localhost")
    live = EdgeService(name="a.prod", hosts=("a.prod.localhost",))
    second = (await home.shown(SHOP, live))["localhost"]
    assert hosts_of(second.certificate) == ("localhost", "*.dev.localhost", "*.prod.localhost")
    assert (await home.shown(SHOP, live))["localhost"] == second


async def test_what_a_person_provides_comes_first_until_it_has_ended(home: Home) -> None:
    before = (await home.shown())[HOST].certificate
    serial = home.provide(timedelta(days=10))
    home.edge.forget()
    assert serial_of((await home.shown())[HOST].certificate) == serial
    await home.clock.advance(timedelta(days=11))
    assert home.edge.is_due()
    assert (await home.shown())[HOST].certificate == before
    home.files.withdraw(HOST)


async def test_a_file_that_changes_while_others_are_read_is_not_forgotten(home: Home) -> None:
    await home.shown()
    looking = asyncio.create_task(home.shown())
    await asyncio.sleep(0)  # it reads now
    serial = home.provide(timedelta(days=10))
    home.edge.forget()
    await looking
    assert serial_of((await home.shown())[HOST].certificate) == serial


async def test_a_host_without_a_certificate_is_told_and_the_others_are_there(
    home: Home, tmp_path: Path
) -> None:
    await home.shown()
    (tmp_path / "services/issued.json").write_text("{")
    more = EdgeService(name="b.dev", hosts=(), ways=(EdgeWay(hosts=("b.example.com",), tls=True),))
    assert (await home.shown(SHOP, more)).keys() == {"localhost", HOST}
    assert "issued.json" in home.edge.problem("b.example.com")
    assert home.edge.is_due()
    (tmp_path / "services/issued.json").unlink()
    assert "b.example.com" in await home.shown(SHOP, more)
    assert home.edge.problem("b.example.com") == ""


async def test_a_service_keeps_its_certificate_until_it_is_due_and_gets_another_then(
    home: Home,
) -> None:
    values = await home.held.apply(MAIL, WANTED)
    at = Path(values["certificate"])
    first = at.read_bytes()
    assert hosts_of(first) == ("shop.dev.localhost",)
    fresh = ServiceCertificates(
        home.held.folder(MAIL).parent, issuer=home.issuer, ways=home.ways, clock=home.clock
    )
    assert await fresh.apply(MAIL, WANTED) == values
    assert at.read_bytes() == first
    await home.clock.advance(timedelta(days=19))
    await home.held.apply(MAIL, WANTED)
    assert at.read_bytes() == first
    await home.clock.advance(timedelta(days=2))
    await home.held.apply(MAIL, WANTED)
    second = at.read_bytes()
    assert second != first
    assert ends(second) == home.clock.now() + timedelta(days=30)
    for changed in ({"use": "both"}, {"days": 10}, {"hosts": ("a.shop.dev.localhost",)}):
        before = at.read_bytes()
        await home.held.apply(MAIL, msgspec.structs.replace(WANTED, **changed))
        assert at.read_bytes() != before
    folders = [one for one in home.held.folder(MAIL).iterdir() if not one.is_symlink()]
    assert len(folders) == 2
    await home.held.remove(MAIL, WANTED)
    assert not home.held.folder(MAIL).exists()
    assert [one.state for one in home.issuer.every() if one.owner == "dev/shop"][-1] == "ended"


async def test_the_edge_shows_what_the_service_has_for_the_host(home: Home) -> None:
    wanted = msgspec.structs.replace(WANTED, hosts=(HOST,))
    await home.held.apply(MAIL, wanted)
    held = home.held.held(MAIL)
    assert held is not None
    place = {HOST: ("dev", "shop", "mail")}
    claimant = Claimant("shop.dev", frozenset(), (), place, frozenset([HOST]))
    home.ways.attend(lambda: [claimant])
    assert (await home.shown())[HOST].certificate == held.certificate
    with pytest.raises(WayTaken, match=r"shop\.dev"):
        await home.held.apply(Owner("dev", "thief", "it"), wanted)
    home.ways.attend(tuple)
    assert (await home.shown())[HOST].certificate != held.certificate
