"""Ways in of services, with a real Envoy: who gets which, and what becomes of it over releases, refusals and deaths."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import ssl
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.loopback_ports import free_port
from drystone.l25_deployer.api import Source
from drystone.l25_deployer.errors import DeployFailed, DescriptorRefused, PlanRefused, WayTaken
from drystone.l25_deployer.local.resources.certificate import ServiceCertificates
from drystone.l25_deployer.local.resources.port import Owner
from drystone.l25_deployer.stacks.ways import Certificate
from l25_deployer.small_platform import (
    ASKING,
    ByHand,
    ask,
    by_hand,
    deploy,
    descriptor,
    folder_of,
    left_in,
    short_folder,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Here:
    """A platform of a test, with the folder of a service."""

    def __init__(self, p: ByHand, home: Path, folder: Path) -> None:
        self.p, self.home, self.folder = p, home, folder
        self.port = p.services.machine.url_port

    async def deploy(self, name: str, way: str, more: str = "") -> None:
        text = descriptor(name, more=f"resources:\n  front: {{type: edge-route, {way}}}\n{more}")
        await deploy(self.p.deployer, text, self.folder)

    async def destroy(self, name: str) -> None:
        async for _ in self.p.deployer.destroy(ASKING, environment="dev", service=name):
            pass

    async def refused(self, name: str, way: str) -> str:
        """Return what a plan refuses of a way; a deploy refuses the same."""
        return await self._refused(name, f"front: {{type: edge-route, {way}}}")

    async def refused_certificate(self, name: str, host: str) -> str:
        """Return what a plan refuses of a certificate."""
        return await self._refused(name, f"proof: {{type: certificate, hosts: [{host}]}}")

    async def _refused(self, name: str, resource: str) -> str:
        text = descriptor(name, more=f"resources:\n  {resource}\n")
        source = Source(text, "service.yaml", str(self.folder))
        view = await self.p.deployer.plan(ASKING, source=source, environment="dev")
        if view.refused:
            with pytest.raises(PlanRefused):
                await deploy(self.p.deployer, text, self.folder)
        return "\n".join(view.refused)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here() -> AsyncIterator[Here]:
    with short_folder() as folder:
        source = folder_of(folder / "src")
        async with by_hand(folder / "h", free_port()) as p:
            yield Here(p, folder / "h", source)


async def test_a_service_answers_at_a_host_of_its_own_and_is_told_its_address(here: Here) -> None:
    show = "env: {GREETING: '${resources.front.url} ${resources.front.host}'}"
    await here.deploy("one", "hosts: [one.example.com], tls: false", show)
    said = f"http://one.example.com:{here.port}/"
    assert f"{said} one.example.com" in await ask(here.port, "one.example.com")
    assert "hello" not in await ask(here.port, "two.example.com")
    view = await here.p.deployer.show(ASKING, environment="dev", service="one")
    assert view.summary.ways == [said]
    assert [(one.type, one.detail) for one in view.resources] == [("edge-route", "one.example.com")]
    assert view.problems == []


async def test_what_somebody_has_nobody_else_gets(here: Here) -> None:
    await here.deploy("owner", "hosts: [own.example.org], paths: [/, /a], tls: false")
    way = "hosts: [own.example.org]"
    assert "own.example.org/ leads to owner.dev already" in await here.refused("thief", way)
    assert "own.example.org/a leads" in await here.refused("thief", way + ", paths: [/a/]")
    assert "already" in await here.refused("thief", "hosts: ['*.example.org'], paths: [/x]")
    assert await here.refused("thief", way + ", paths: [/b]") == ""
    await here.destroy("owner")
    assert await here.refused("thief", way) == ""


async def test_one_service_cannot_say_two_things_of_a_host_and_path(here: Here) -> None:
    two = "front: {type: edge-route, hosts: [twice.example.com]}\n  back: {type: edge-route, hosts: [twice.example.com], allow: [office]}"
    assert "stands in two ways in" in await here._refused("twice", two)
    apart = two.replace("allow: [office]", "allow: [office], paths: [/staff]")
    assert await here._refused("twice", apart) == ""


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("localhost", "belongs to that"),
        ("other.dev.localhost", "belongs to that"),
        ("'*.localhost'", "belongs to that"),
        ("'*.dev.localhost'", "belongs to that"),
        ("own.localhost", "the platform itself"),
        ("127.0.0.1", "no name"),
    ],
)
async def test_names_of_the_platform_and_of_others_are_not_for_the_taking(
    here: Here, host: str, why: str
) -> None:
    try:
        said = await here.refused("squatter", f"hosts: [{host}]")
    except PlatformError as e:
        said = str(e)
        assert "host" in said
    else:
        assert why in said


async def test_of_two_deploys_at_once_that_want_the_same_one_gets_it(here: Here) -> None:
    way = "hosts: [race.example.com], tls: false"
    ends = await asyncio.gather(
        here.deploy("left", way), here.deploy("right", way), return_exceptions=True
    )
    failed = [one for one in ends if one is not None]
    assert len(failed) == 1
    assert isinstance(failed[0], WayTaken | PlanRefused | DeployFailed)
    assert "race.example.com/ leads to" in str(failed[0])
    winner = "left" if ends[0] is None else "right"
    loser = "right" if winner == "left" else "left"
    assert (await ask(here.port, "race.example.com")).startswith("200 ")
    routing = here.p.services.machine.edge.routing
    assert routing(f"{winner}.dev") is not None
    assert routing(f"{loser}.dev") is None
    await here.destroy(winner)
    await here.deploy(loser, way)


async def test_hosts_change_with_the_release_and_come_back_with_a_rollback(here: Here) -> None:
    await here.deploy("moves", "hosts: [before.example.com], tls: false")
    await here.deploy("moves", "hosts: [after.example.com], tls: false")
    assert (await ask(here.port, "after.example.com")).startswith("200 ")
    assert (await ask(here.port, "before.example.com")).startswith("404 ")
    await here.deploy("other", "hosts: [before.example.com], tls: false")
    async with asyncio.timeout(20):
        with pytest.raises(PlatformError, match=r"before\.example\.com/ leads to other\.dev"):
            async for _ in here.p.deployer.rollback(ASKING, environment="dev", service="moves"):
                pass
    assert (await ask(here.port, "after.example.com")).startswith("200 ")
    await here.destroy("other")
    async for _ in here.p.deployer.rollback(ASKING, environment="dev", service="moves"):
        pass
    assert (await ask(here.port, "before.example.com")).startswith("200 ")
    assert (await ask(here.port, "after.example.com")).startswith("404 ")


async def test_a_way_is_for_the_networks_that_it_names(here: Here) -> None:
    await here.deploy("near", "hosts: [near.example.com], allow: [office], tls: false")
    said = await ask(here.port, "near.example.com", headers={"X-Forwarded-For": "10.1.2.3"})
    assert said.startswith("403 ")
    await here.deploy("near", "hosts: [near.example.com], allow: [office, loopback], tls: false")
    assert (await ask(here.port, "near.example.com")).startswith("200 ")
    assert "the network 'moon' is not known" in await here.refused(
        "near", "hosts: [x.y], allow: [moon]"
    )


async def test_a_way_without_more_is_there_over_https_with_a_certificate_of_the_platform(
    here: Here,
) -> None:
    await here.deploy("safe", "hosts: [safe.example.com]")
    at = await ask(here.port, "safe.example.com", "/x")
    assert at.startswith("308 ")
    view = await here.p.deployer.show(ASKING, environment="dev", service="safe")
    (url,) = view.summary.ways
    port = int(url.rpartition(":")[2].strip("/"))
    authority = here.home / "trust/services/authority.pem"
    assert (here.home / "trust/services/authority-key.pem").stat().st_mode & 0o777 == 0o600
    context = ssl.create_default_context(cafile=str(authority))
    for name in ("safe.example.com", "safe.dev.localhost"):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name
        )
        writer.write(f"GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n".encode())
        assert b" 200 " in await reader.readline()
        writer.close()
    issued = json.loads((here.home / "trust/services/issued.json").read_text())
    assert {one["name"] for one in issued} >= {"localhost", "safe.example.com"}
    assert view.problems == []


async def test_a_service_gets_a_certificate_as_files_and_it_is_replaced_without_it(
    here: Here,
) -> None:
    more = "resources:\n  mail: {type: certificate, use: both}\nenv: {GREETING: '${resources.mail.certificate} '}"
    await deploy(here.p.deployer, descriptor("holder", more=more), here.folder)
    at = Path((await ask(here.port, "holder.dev.localhost")).split()[1])
    assert at.name == "certificate.pem"
    authority, key = (at.with_name(name).read_bytes() for name in ("authority.pem", "key.pem"))
    server, client = (
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        ssl.create_default_context(cadata=authority.decode()),
    )
    server.load_cert_chain(at, at.with_name("key.pem"))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=authority.decode())
    client.load_cert_chain(at, at.with_name("key.pem"))
    shown = shake(server, client, "holder.dev.localhost")
    assert ("DNS", "holder.dev.localhost") in shown["subjectAltName"]
    assert stat.S_IMODE((here.home / "trust/held").stat().st_mode) == 0o700

    driver = here.p.services.machine.provisioner.driver(
        here.p.kept("holder").record, Owner("dev", "holder", "mail")
    )
    assert isinstance(driver, ServiceCertificates)
    wanted = here.p.kept("holder").record.eternal["mail"]
    assert isinstance(wanted, Certificate)
    await driver.renew(Owner("dev", "holder", "mail"), wanted)
    assert at.with_name("key.pem").read_bytes() != key
    server.load_cert_chain(
        at, at.with_name("key.pem")
    )  # which refuses what does not belong together
    assert "belongs to that" in await here.refused_certificate("thief", "x.holder.dev.localhost")
    assert await here.refused_certificate("thief", "x.thief.dev.localhost") == ""
    await here.destroy("holder")
    assert not at.exists()


async def test_certificates_are_for_names_of_ones_own_and_the_edge_shows_them(here: Here) -> None:
    text = descriptor(
        "shown",
        more="resources:\n  front: {type: edge-route, hosts: [shown.example.net]}\n"
        "  proof: {type: certificate, hosts: [shown.example.net]}\n",
    )
    await deploy(here.p.deployer, text, here.folder)
    way = here.p.services.machine.ways
    assert way.certified()["shown.example.net"] == ("dev", "shown", "proof")
    held = here.home / "trust/held/dev.shown.proof/current/certificate.pem"
    url = (await here.p.deployer.show(ASKING, environment="dev", service="shown")).summary.ways[0]
    context = ssl.create_default_context(cafile=str(held.with_name("authority.pem")))
    _, writer = await asyncio.open_connection(
        "127.0.0.1",
        int(url.rsplit(":", 1)[1].strip("/")),
        ssl=context,
        server_hostname="shown.example.net",
    )
    seen = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert ssl.PEM_cert_to_DER_cert(held.read_text()) == seen
    for taken in ("shown.example.net", "'*.example.net'", "own.localhost", "shown.dev.localhost"):
        assert await here.refused_certificate("thief", taken)
    assert await here.refused_certificate("thief", "thief.dev.localhost") == ""
    assert await here.refused("thief", "hosts: [shown.example.net], paths: [/x]")


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict[str, Any]:
    """Let two sides prove themselves to each other; returns what the server saw of the client."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    shown = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (asking, shown, asking, shown):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    found: dict[str, Any] | None = shown.getpeercert()
    assert found is not None
    return found


PAGE, ASSET = "<h1>first</h1>", "assets/app.3f2a9c1d.js"


async def site_of(here: Here, name: str, files: dict[str, str], more: str = "") -> Path:
    """Deploy a service with a static site of some files."""
    folder = here.folder.parent / f"site-{name}"
    shutil.rmtree(folder / "www", ignore_errors=True)
    folder_of(folder, {f"www/{path}": text for path, text in files.items()})
    text = descriptor(
        name,
        more=f"resources:\n  front: {{type: static-site, dir: www, hosts: [{name}.example.org], tls: false{more}}}\n",
    )
    await deploy(here.p.deployer, text, folder)
    return folder


async def test_a_site_changes_with_its_release_keeps_old_assets_and_comes_back(here: Here) -> None:
    host = "pages.example.org"
    await site_of(here, "pages", {"index.html": PAGE, ASSET: "old"}, ", spa: true")
    assert PAGE in await ask(here.port, host)
    assert "hello" in await ask(here.port, "pages.dev.localhost")
    assert (await ask(here.port, host, "/nowhere")).startswith("404 ")
    accepts = {"Accept": "text/html"}
    assert PAGE in await ask(here.port, host, "/deep/link", headers=accepts)

    await site_of(here, "pages", {"index.html": "second", "assets/app.77aa88bb.js": "new"})
    assert "second" in await ask(here.port, host)
    assert (await ask(here.port, host, "/assets/app.77aa88bb.js")).startswith("200 new")
    assert (await ask(here.port, host, f"/{ASSET}")).startswith("200 old")
    assert (await ask(here.port, host, "/deep/link", headers=accepts)).startswith("404 ")

    async for _ in here.p.deployer.rollback(ASKING, environment="dev", service="pages"):
        pass
    assert PAGE in await ask(here.port, host)
    assert PAGE in await ask(here.port, host, "/deep/link", headers=accepts)
    view = await here.p.deployer.show(ASKING, environment="dev", service="pages")
    assert view.summary.ways == [f"http://{host}:{here.port}/"]
    assert {one.group for one in view.instances} == {"web", "static-site-front"}
    await here.destroy("pages")
    assert (await ask(here.port, host)).startswith("404 ")


async def test_a_site_gives_nothing_away_that_is_not_its_own(here: Here) -> None:
    files = {"index.html": PAGE, ".hidden": "no", "sub/x.txt": "yes"}
    folder = await site_of(here, "walls", files)
    (folder / "www/out").symlink_to("/etc")
    (folder / "www/server").symlink_to("../server.py")
    text = descriptor(
        "walls",
        more="resources:\n  front: {type: static-site, dir: www, hosts: [walls.example.org], tls: false}\n",
    )
    with suppress(PlatformError):  # where links that lead out are not taken into an artefact at all
        await deploy(here.p.deployer, text, folder)
    host = "walls.example.org"
    assert (await ask(here.port, host, "/sub/x.txt")).startswith("200 yes")
    for path in (
        *("/.hidden", "/server.py", "/../server.py", "/sub/../../server.py", "/%2e%2e/server.py"),
        *("/out/hostname", "/out/passwd", "/server", "/sub", "/sub/", "/x%00y", "/..%2fserver.py"),
    ):
        status = (await ask(here.port, host, path)).split()[0]
        assert (path, status) in {(path, "404"), (path, "308"), (path, "400")}
    said = await here._refused(
        "other", "front: {type: static-site, dir: a, hosts: [walls.example.org]}"
    )
    assert "walls.example.org/ leads to walls.dev" in said


async def test_a_site_lies_in_the_folder_of_the_service(here: Here) -> None:
    for wrong, why in (
        ("process: {command: [x], dir: app}", "does not lie in app"),
        ("image: example.org/x:1", "an image has none"),
    ):
        text = (
            f"schema: 1\nservice: it\nowner: x\n{wrong}\n"
            "resources: {front: {type: static-site, dir: www, hosts: [x.y]}}\n"
        )
        with pytest.raises(DescriptorRefused, match=why):
            await deploy(here.p.deployer, text, here.folder)


async def test_ways_sites_and_certificates_are_there_after_the_agent_and_envoy_died() -> None:
    with short_folder() as folder:
        source, port = folder_of(folder / "src", {"www/index.html": PAGE}), free_port()
        text = descriptor(
            "stays",
            more="resources:\n"
            "  front: {type: edge-route, hosts: [stays.example.com], tls: false}\n"
            "  safe: {type: edge-route, hosts: [safe.example.com]}\n"
            "  pages: {type: static-site, dir: www, hosts: [pages.example.com], tls: false}\n"
            "  mail: {type: certificate}\n",
        )
        async with by_hand(folder / "h", port) as p:
            await deploy(p.deployer, text, source)
            await p.services.machine.edge.require_kept()
            before = sorted((folder / "h/trust/held").rglob("*.pem"))
            issued = (folder / "h/trust/services/issued.json").read_bytes()
        for pid in left_in(folder / "h"):
            if "envoy" in Path(f"/proc/{pid}/exe").readlink().name:
                os.kill(pid, signal.SIGKILL)

        async def answers() -> bool:
            with suppress(OSError, IndexError, TimeoutError):
                return PAGE in await ask(port, "pages.example.com")
            return False

        async with asyncio.timeout(30):
            while not await answers():  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.05)
        assert (await ask(port, "stays.example.com")).startswith("200 ")
        assert (await ask(port, "safe.example.com")).startswith("308 ")
        async with by_hand(folder / "h", port) as p:
            await until(p.kept("stays").recovered.is_set, "it is recovered")
            assert (await ask(port, "stays.example.com")).startswith("200 ")
            assert PAGE in await ask(port, "pages.example.com")
            assert sorted((folder / "h/trust/held").rglob("*.pem")) == before
            assert (folder / "h/trust/services/issued.json").read_bytes() == issued
            view = await p.deployer.show(ASKING, environment="dev", service="stays")
            assert len(view.summary.ways) == 3
