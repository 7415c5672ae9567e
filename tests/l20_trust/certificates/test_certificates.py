"""Certificates for services and for the edge, in every way in which they can be reached."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from drystone.l00_kernel.clock import ManualClock
from drystone.l00_kernel.contract import Caller, Context
from drystone.l00_kernel.ports import NullAudit, NullLog
from drystone.l10_engines.certificates import (
    Pair,
    due,
    ends,
    facts_of,
    is_for,
    make_authority,
    make_certificate,
    serial_of,
)
from drystone.l20_trust.certificates.api import CertificatesApi, ProvidedSaid
from drystone.l20_trust.certificates.errors import (
    CertificateUnfit,
    IssuedUnreadable,
    NoCertificate,
)
from drystone.l20_trust.certificates.issuer import REMEMBERED, Issuer
from drystone.l20_trust.certificates.service import Certificates
from drystone.l20_trust.certificates.shown import ShownFiles
from drystone.testing.reaches import REACHES, reach

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
LIFE = timedelta(days=9)
ME = Context(Caller("somebody", frozenset({"admin"})))
OTHERS = make_authority("others", life=LIFE)


def issuer_at(folder: Path, clock: ManualClock | None = None) -> Issuer:
    return Issuer(folder / "services", clock or ManualClock(NOW))


def made_at(folder: str) -> Certificates:
    """Certificates of a folder, of which the service ``dev/shop`` has one called ``mail``."""
    home = Path(folder)
    clock = ManualClock(NOW)
    issuer, shown = Issuer(home / "services", clock), ShownFiles(home / "edge")
    issuer.issue("dev/shop", "mail", hosts=["mail.example.com"], life=LIFE, use="both")
    first = issuer.issue("edge", "shop.example.com", hosts=["shop.example.com"], life=LIFE)
    shown.write_issued("shop.example.com", first.key, first.certificate)

    async def renew(owner: str, name: str) -> None:
        issuer.issue(owner, name, hosts=["mail.example.com"], life=LIFE, use="both")

    async def changed() -> None:
        (home / "changed").write_text("")
        if shown.issued("shop.example.com") is None:
            made = issuer.issue("edge", "shop.example.com", hosts=["shop.example.com"], life=LIFE)
            shown.write_issued("shop.example.com", made.key, made.certificate)

    return Certificates(
        issuer,
        shown,
        clock=clock,
        audit=NullAudit(),
        log=NullLog(),
        renew=renew,
        changed=changed,
    )


@pytest_asyncio.fixture(params=REACHES)
async def certificates(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[CertificatesApi]:
    async with reach(request.param, CertificatesApi, made_at, str(tmp_path)) as api:
        yield api


def of_others(*hosts: str, life: timedelta = timedelta(days=400)) -> Pair:
    return make_certificate("others", authority=OTHERS, life=life, domains=hosts, now=NOW)


def said(pair: Pair, *, key: bytes | None = None) -> ProvidedSaid:
    return ProvidedSaid(pair.certificate.decode(), (key or pair.key).decode())


def test_what_is_issued_is_for_its_names_uses_and_life(tmp_path: Path) -> None:
    issuer = issuer_at(tmp_path)
    hosts = ("a.example.com", "*.b.example.com")
    client = issuer.issue("dev/shop", "it", hosts=hosts, life=LIFE, use="client")
    assert facts_of(client.certificate) == (hosts, False, True)
    assert ends(client.certificate) == NOW + LIFE
    assert due(client.certificate) == NOW + LIFE * 2 / 3
    server = issuer.issue("dev/shop", "it", hosts=hosts, life=LIFE)
    assert facts_of(server.certificate)[1:] == (True, False)
    assert server.key != client.key
    assert [(one.serial, one.state) for one in issuer.every()] == [
        (serial_of(client.certificate), "replaced"),
        (serial_of(server.certificate), "valid"),
    ]
    issuer.end("dev/shop", "it")
    assert [one.state for one in issuer.every()] == ["replaced", "ended"]


def test_the_authority_is_made_once_and_its_key_is_for_nobody_elses_eyes(tmp_path: Path) -> None:
    first = issuer_at(tmp_path).ensure()
    assert issuer_at(tmp_path).ensure() == first
    folder = tmp_path / "services"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "authority-key.pem").stat().st_mode) == 0o600
    (folder / "authority.pem").unlink()  # as after a death between the two files
    again = issuer_at(tmp_path)
    again.ensure()
    assert again.issue("o", "n", hosts=["x.y"], life=LIFE)


async def test_what_ended_is_forgotten_in_time_and_what_is_damaged_is_told(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    issuer = issuer_at(tmp_path, clock)
    issuer.issue("o", "old", hosts=["x.y"], life=LIFE)
    await clock.advance(LIFE + REMEMBERED + timedelta(days=1))
    issuer.issue("o", "new", hosts=["x.y"], life=LIFE)
    assert [one.name for one in issuer.every()] == ["new"]
    (tmp_path / "services/issued.json").write_text("{")
    with pytest.raises(IssuedUnreadable, match=r"issued\.json"):
        issuer.issue("o", "new", hosts=["x.y"], life=LIFE)


def test_a_star_stands_for_one_label() -> None:
    made = of_others("*.example.com", "x.org").certificate
    fits = ("a.example.com", "*.example.com", "x.org")
    assert [host for host in fits if not is_for(made, host)] == []
    wrong = ("example.com", "a.b.example.com", "a.x.org", "com", "")
    assert [host for host in wrong if is_for(made, host)] == []


async def test_what_was_issued_is_listed_and_replaced_by_its_number(
    certificates: CertificatesApi,
) -> None:
    mail, edge = await certificates.issued(ME)
    assert (mail.owner, mail.name, mail.use, mail.until) == ("dev/shop", "mail", "both", NOW + LIFE)
    assert (await certificates.authority(ME)).startswith("-----BEGIN CERTIFICATE-----")
    for old in (mail, edge):
        new = await certificates.replace(ME, serial=old.serial)
        assert (new.owner, new.name, new.state) == (old.owner, old.name, "valid")
        assert new.serial != old.serial
        with pytest.raises(NoCertificate):
            await certificates.replace(ME, serial=old.serial)
    with pytest.raises(NoCertificate):
        await certificates.replace(ME, serial="../x")


async def test_people_provide_certificates_for_hosts_and_take_them_back(
    certificates: CertificatesApi,
) -> None:
    host = "shop.example.com"
    made = of_others("*.example.com")
    view = await certificates.provide(ME, host=host.upper(), said=said(made))
    assert (view.host, view.serial, view.is_shown) == (host, serial_of(made.certificate), True)
    assert await certificates.provided(ME) == [view]
    wild = await certificates.provide(ME, host="*.example.com", said=said(made))
    assert [one.host for one in await certificates.provided(ME)] == [wild.host, host]
    await certificates.withdraw(ME, host=host)
    await certificates.withdraw(ME, host=host)
    assert await certificates.provided(ME) == [wild]


async def test_what_could_not_be_shown_is_refused_and_says_nothing_of_the_key(
    certificates: CertificatesApi,
) -> None:
    host = "shop.example.com"
    good = of_others(host)
    for unfit, why in (
        (said(of_others("other.example.com")), "is not for shop"),
        (said(good, key=of_others(host).key), "not the one of the first"),
        (said(good, key=b"secret-words"), "the key cannot be used"),
        (ProvidedSaid("nothing", good.key.decode()), "cannot be read"),
        (ProvidedSaid("x" * 70_000, "y"), "at most"),
    ):
        with pytest.raises(CertificateUnfit, match=why) as caught:
            await certificates.provide(ME, host=host, said=unfit)
        assert "secret-words" not in str(caught.value)
        assert good.key.decode()[40:80] not in str(caught.value)
    ended = make_certificate(
        "x", authority=OTHERS, life=timedelta(days=1), domains=[host], now=NOW - timedelta(days=9)
    )
    with pytest.raises(CertificateUnfit, match="ended at"):
        await certificates.provide(ME, host=host, said=said(ended))
    for wrong in ("a..b", "a b", "*", "a.*.b", "x" * 300):
        with pytest.raises(CertificateUnfit):
            await certificates.provide(ME, host=wrong, said=said(good))
    assert await certificates.provided(ME) == []
    assert "secret" not in repr(said(good, key=b"secret"))
