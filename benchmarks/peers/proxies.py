"""Reverse proxies, each told in its own way to send requests elsewhere."""

from __future__ import annotations

import abc
import asyncio
import json
import os
from pathlib import Path
from typing import ClassVar

import httpx2
from benchmarks.peers.programs import ENVIRONMENT, need
from benchmarks.peers.stage import Stage, until_answered
from typing_extensions import override

from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.proxy.ads import Ads
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.envoy import Envoy, ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot


class OneRoute(abc.ABC):
    """What sends the requests for one port to another, on one worker.

    Args:
        stage: Where it is started.
        access_log: Whether it writes a line for each request.
    """

    name: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]

    def __init__(self, stage: Stage, *, access_log: bool = False) -> None:
        self.port = free_port()
        self._stage = stage
        self._logs = access_log
        self._folder = stage.folder / self.name.partition(" ")[0].lower()
        self._folder.mkdir()
        self._folder.chmod(0o777)

    @abc.abstractmethod
    async def start(self, upstream: int) -> None:
        """Start it with one upstream and return when it answers."""

    @abc.abstractmethod
    def pids(self) -> list[int]:
        """Return the processes that carry requests."""

    async def stop(self) -> None:  # noqa: B027 - most have nothing to do
        """End what does not end with the stage."""


class Proxy(OneRoute):
    """A proxy whose route can be changed while it runs."""

    way: ClassVar[str]
    """How a switch is asked for."""

    @abc.abstractmethod
    async def switch(self, upstream: int) -> None:
        """Send new requests to another port; returns when the proxy's own command has."""


class OneProgram(OneRoute):
    """One program on the stage."""

    pid = 0

    async def _launch(self, *command: str | Path, **env: str) -> None:
        self.pid = (await self._stage.start(*command, env=env)).pid
        await until_answered(self.port)

    @override
    def pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *map(int, children)]


class Nginx(OneProgram, Proxy):
    """Nginx: a new file, then ``nginx -s reload``."""

    name, way, needs = "nginx", "reload", ("nginx",)

    @override
    async def start(self, upstream: int) -> None:
        self._write([upstream])
        await self._launch(*self._command())

    @override
    async def switch(self, upstream: int) -> None:
        self._write([upstream])
        await self._stage.run(*self._command(), "-s", "reload")

    async def balance(self, upstreams: list[int]) -> None:
        """Start it with several upstreams; nobody answers there yet."""
        self._write(upstreams)
        self.pid = (await self._stage.start(*self._command())).pid

    def _command(self) -> list[str]:
        return [need("nginx"), "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]

    def _write(self, upstreams: list[int]) -> None:
        log = f"{self._folder}/access.log" if self._logs else "off"
        servers = " ".join(f"server 127.0.0.1:{port};" for port in upstreams)
        (self._folder / "nginx.conf").write_text(
            f"""
daemon off; worker_processes 1; pid {self._folder}/pid; error_log {self._folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log {log}; keepalive_requests 1000000;
  upstream service {{ {servers} keepalive 32; }}
  server {{
    listen 127.0.0.1:{self.port};
    location / {{
      proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
    }}
  }}
}}
"""
        )


class Haproxy(OneProgram, Proxy):
    """HAProxy: two slots, told by its administration socket which of them is ready."""

    name, way, needs = "HAProxy", "runtime API", ("haproxy",)

    def __init__(self, stage: Stage, *, access_log: bool = False) -> None:
        super().__init__(stage, access_log=access_log)
        self._socket = self._folder / "admin"
        self._slots = ("blue", "green")

    @override
    async def start(self, upstream: int) -> None:
        log = "log stdout format raw local0\n  option httplog" if self._logs else ""
        config = self._folder / "haproxy.cfg"
        config.write_text(
            f"""
global
  stats socket {self._socket} level admin
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 2s
  option redispatch
  option forwardfor
  {log}
frontend edge
  bind 127.0.0.1:{self.port}
  default_backend service
backend service
  server blue 127.0.0.1:{upstream}
  server green 127.0.0.1:{upstream} disabled
"""
        )
        await self._launch(need("haproxy"), "-db", "-f", config)

    @override
    async def switch(self, upstream: int) -> None:
        old, new = self._slots
        await self._tell(f"set server service/{new} addr 127.0.0.1 port {upstream}")
        await self._tell(f"set server service/{new} state ready")
        await self._tell(f"set server service/{old} state drain")
        self._slots = (new, old)

    async def _tell(self, command: str) -> None:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        writer.write(f"{command}\n".encode())
        await reader.read()
        writer.close()


class Caddy(OneProgram, Proxy):
    """Caddy: its administration API."""

    name, way, needs = "Caddy", "admin API", ("caddy",)

    def __init__(self, stage: Stage, *, access_log: bool = False) -> None:
        super().__init__(stage, access_log=access_log)
        self._admin = free_port(taken={self.port})

    @override
    async def start(self, upstream: int) -> None:
        server = {
            "listen": [f"127.0.0.1:{self.port}"],
            "automatic_https": {"disable": True},
            "routes": [
                {"handle": [{"handler": "reverse_proxy", "upstreams": self._dial(upstream)}]}
            ],
            **({"logs": {}} if self._logs else {}),
        }
        config = self._folder / "caddy.json"
        admin = {"listen": f"127.0.0.1:{self._admin}", "config": {"persist": False}}
        apps = {"http": {"servers": {"edge": server}}}
        config.write_text(json.dumps({"admin": admin, "apps": apps}))
        home = str(self._folder)
        await self._launch(
            need("caddy"), "run", "--config", config, HOME=home, GOMAXPROCS="1", XDG_DATA_HOME=home
        )

    @override
    async def switch(self, upstream: int) -> None:
        path = "config/apps/http/servers/edge/routes/0/handle/0/upstreams"
        async with httpx2.AsyncClient(trust_env=False) as http:
            url = f"http://127.0.0.1:{self._admin}/{path}"
            (await http.patch(url, json=self._dial(upstream))).raise_for_status()

    def _dial(self, upstream: int) -> list[dict[str, str]]:
        return [{"dial": f"127.0.0.1:{upstream}"}]


class Traefik(OneProgram, Proxy):
    """Traefik: a file that it watches, with the shortest wait it can be given."""

    name, way, needs = "Traefik", "file provider, throttled to 50 ms", ("traefik",)

    @override
    async def start(self, upstream: int) -> None:
        (self._folder / "routes").mkdir()
        self._write(upstream)
        config = {
            "entryPoints": {"web": {"address": f"127.0.0.1:{self.port}"}},
            "providers": {
                "providersThrottleDuration": "50ms",
                "file": {"directory": str(self._folder / "routes"), "watch": True},
            },
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            **({"accessLog": {"filePath": f"{self._folder}/access"}} if self._logs else {}),
        }
        file = self._folder / "traefik.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        await self._launch(need("traefik"), f"--configFile={file}", GOMAXPROCS="1")

    @override
    async def switch(self, upstream: int) -> None:
        self._write(upstream)

    def _write(self, upstream: int) -> None:
        server = {"url": f"http://127.0.0.1:{upstream}"}
        router = {"rule": "PathPrefix(`/`)", "service": "service", "entryPoints": ["web"]}
        services = {"service": {"loadBalancer": {"servers": [server]}}}
        whole = json.dumps({"http": {"routers": {"all": router}, "services": services}})
        file = self._folder / "routes/service.yml"
        file.with_suffix(".new").write_text(whole)
        file.with_suffix(".new").rename(file)


class PythonProxy(OneProgram):
    """A proxy in Python, as one would write it."""

    name, needs = "Python (aiohttp, uvloop)", ("gunicorn",)

    @override
    async def start(self, upstream: int) -> None:
        python = ENVIRONMENT / "bin/python"
        program = Path(__file__).with_name("python_proxy.py")
        await self._launch(python, program, str(self.port), str(upstream))


class DrystoneEdge(Proxy):
    """Drystone's edge without the rest: its Envoy with its real configuration, told by ADS."""

    name, way, needs = "Drystone's edge", "ADS", ()

    def __init__(self, stage: Stage, *, access_log: bool = True) -> None:
        super().__init__(stage, access_log=access_log)
        log = self._folder / "access.json"
        self._ads = Ads(self._folder / "xds.sock")
        settings = ProxySettings(port=self.port, access_log=log)
        self.envoy = Envoy(self._folder / "edge", ads=self._ads, settings=settings)
        self._access_log = log
        self._serving: list[int] = []

    @override
    async def start(self, upstream: int) -> None:
        await self._ads.start()
        await self.switch(upstream)
        await self.envoy.start()
        await until_answered(self.port)

    @override
    async def switch(self, upstream: int) -> None:
        await self.envoy.publish(self.snapshot(upstream))

    def snapshot(self, upstream: int) -> Snapshot:
        """Return the configuration; without an access log where none is wanted, else as users get it.

        The upstream before this one stays with weight 0, as the release before does in a deploy.
        """
        self._serving = [*self._serving[-1:], upstream]
        pools = tuple(
            Pool(f"at-{port}", int(port == upstream), (Endpoint(port),)) for port in self._serving
        )
        hosts = ("127.0.0.1", "localhost")
        service = EdgeService(name="dev/service", hosts=hosts, pools=pools)
        whole = edge_snapshot([service], port=self.port, access_log=self._access_log)
        if not self._logs:
            for listener in whole.listeners.values():
                del listener["filter_chains"][0]["filters"][0]["typed_config"]["access_log"]
        return whole

    @override
    def pids(self) -> list[int]:
        pid = self.envoy.status().pid
        return [pid] if pid else []

    @override
    async def stop(self) -> None:
        await self.envoy.stop()
        await self._ads.stop()


PROXIES: tuple[type[Proxy], ...] = (DrystoneEdge, Haproxy, Nginx, Caddy, Traefik)


def cpu_seconds(pids: list[int]) -> float:
    """Return the processor time that processes have used so far (proc_pid_stat(5), utime and stime)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
