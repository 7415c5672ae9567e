"""Releases and their keys, on a real platform: given at a deploy, looked up while nobody looks after them, revoked at the end."""

from __future__ import annotations

import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from atlassian_jwt_auth.key import DataUriPrivateKeyRetriever
from atlassian_jwt_auth.signer import JWTAuthSigner

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.contract import connect
from drystone.l00_kernel.home import Home
from drystone.l10_engines.loopback_ports import free_port
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import KeysApi
from drystone.l20_trust.keys.signing import is_signed
from drystone.l25_deployer.api import DeployerApi
from l25_deployer.agents import agent_at, client_of, end_agent
from l25_deployer.small_platform import ASKING, deploy, descriptor, folder_of, left_in, short_folder

CALLER = descriptor(
    more="dependencies: {payments: {needs: soft, without: nothing}}\ndeploy: {keep_warm: 0s}"
)
HOST = "greeter.dev.localhost"


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as found:
        folder_of(found / "source")
        yield found


async def environ_of_the_instance(api: DeployerApi) -> dict[str, str]:
    view = await api.show(ASKING, environment="dev", service="greeter")
    (pid,) = [one.pid for one in view.instances if one.pid]
    lines = Path(f"/proc/{pid}/environ").read_text().rstrip("\0").split("\0")
    return dict(line.split("=", 1) for line in lines)


class LookUp:
    """Looks keys up as a stranger does: by what an instance was told."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._context = ssl.create_default_context(cafile=environ["DRYSTONE_CA_FILE"])
        self._urls = [
            environ["ASAP_PUBLIC_KEY_REPOSITORY_URL"],
            environ["ASAP_PUBLIC_KEY_FALLBACK_REPOSITORY_URL"],
        ]

    def __call__(self, key: str) -> str | None:
        """Return what both repositories say, which is the same."""
        first, second = (self._ask(url + key) for url in self._urls)
        assert first == second
        return first

    def key_set(self, audience: str) -> str | None:
        return self._ask(f"{self._urls[0].removesuffix('keys/')}jwks/{audience}.json")

    def _ask(self, url: str) -> str | None:
        try:
            # Its scheme is https, as the platform gave it.
            with urllib.request.urlopen(url, timeout=10, context=self._context) as answer:  # noqa: S310
                return str(answer.read().decode())
        except urllib.error.HTTPError as e:
            with e:
                return None


async def test_a_release_proves_who_it_is_whatever_becomes_of_the_agent(folder: Path) -> None:
    home, port = folder / "h", free_port()
    with agent_at(home, port) as agent:
        async with client_of(home) as api:
            await deploy(api, CALLER, folder / "source")
            environ = await environ_of_the_instance(api)
        look_up = LookUp(environ)
        end_agent(agent, signal.SIGKILL)
        signer = JWTAuthSigner(
            environ["ASAP_ISSUER"],
            DataUriPrivateKeyRetriever(environ["ASAP_PRIVATE_KEY"]),
            algorithm="ES256",
        )
        claims = tokens.verify(
            signer.generate_jwt("dev/payments").decode(),
            audience="dev/payments",
            key_of=look_up,
            is_signed=is_signed,
            now=SystemClock().now(),
        )
        assert claims.iss == environ["ASAP_AUDIENCE"] == "dev/greeter"
        assert environ["ASAP_KEY_ID"] in (look_up.key_set("dev/payments") or "")

    with agent_at(home, port):
        async with client_of(home) as api, connect(KeysApi, uds=Home(home).agent_socket) as keys:
            await deploy(api, CALLER, folder / "source", version="2")
            later = await environ_of_the_instance(api)
            states = {(key.id, key.release): key.state for key in await keys.keys(ASKING)}
            assert states == {
                (later["ASAP_KEY_ID"], 2): "active",
                (environ["ASAP_KEY_ID"], 1): "active",
            }
            assert (
                later["ASAP_PUBLIC_KEY_REPOSITORY_URL"] == environ["ASAP_PUBLIC_KEY_REPOSITORY_URL"]
            )
            [_ async for _ in api.destroy(ASKING, environment="dev", service="greeter")]
            assert {key.state for key in await keys.keys(ASKING)} == {"revoked"}
            assert look_up(environ["ASAP_KEY_ID"]) is look_up(later["ASAP_KEY_ID"]) is None
            assert look_up.key_set("dev/payments") is None
            [_ async for _ in api.stop(ASKING)]
    assert left_in(home) == []
    assert not list((home / "trust/keys").rglob("*.pem"))
