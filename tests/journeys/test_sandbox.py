"""A sandbox as a developer uses it: three services, what they need, and all the ways in which it may end."""

from __future__ import annotations

import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from drystone.l00_kernel.home import Home
from drystone.l85_surfaces.sandbox.places import Place
from drystone.testing.command_line import kill_what_remains, processes_of, remains, short_home

DRYSTONE = str(Path(sys.executable).with_name("drystone"))
LIMIT_S = 100
SERVER = """
import json, os, sys, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
STATE = os.environ.get("STATE_PATH", "/tmp") + "/events"
def ask(name, path):
    try:
        with urllib.request.urlopen(os.environ[name] + path, timeout=10) as answer:
            return [answer.status, answer.read().decode()]
    except urllib.error.HTTPError as e:
        return [e.code, e.read().decode()]
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        status, said = 200, "ok"
        if self.path.startswith("/ask/"):
            _, _, name, path = self.path.split("/", 3)
            status, said = 200, json.dumps(ask(name, "/" + path))
        if self.path == "/needs-mail":
            status = ask("MAIL_URL", "/")[0]
        if self.path == "/events":
            said = open(STATE).read() if os.path.exists(STATE) else ""
        body = said.encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        with open(STATE, "a") as file:
            file.write(self.rfile.read(int(self.headers["content-length"])).decode() + "\\n")
        self.do_GET()
    def log_message(self, *_): pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
BILLING = {
    "openapi": "3.1.0",
    "info": {"title": "billing", "version": "1"},
    "paths": {
        "/invoices/{id}": {
            "get": {
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
                ],
                "responses": {
                    "200": {
                        "description": "it",
                        "content": {"application/json": {"schema": {"const": {"total": 12.5}}}},
                    }
                },
            }
        }
    },
}
MAIL = {
    "openapi": "3.1.0",
    "paths": {"/": {"get": {"responses": {"204": {"description": "sent"}}}}},
}
COMMON = 'schema: 1\nowner: t\nprocess: {command: [python3, server.py, "${port}"]}\nhealth: /\n'
SERVICES = {
    "shop": 'env: {BILLING_URL: "${dependencies.billing.url}", MAIL_URL: "${dependencies.mail.url}",'
    ' SEARCH_URL: "${dependencies.search.url}",'
    ' LEDGER_URL: "${dependencies.ledger.url}"}\ndeploy: {smoke: [GET /]}\n'
    "dependencies: {billing: hard, ledger: hard, mail: {needs: soft, without: no mail goes out},"
    " search: {needs: soft, without: nothing is found}}\n",
    "ledger": "resources: {state: {type: volume}, fast: {type: cache}}\n"
    "events: {subscribes: {orders: {type: order.created, to: POST /events}}}\n",
    "desk": 'env: {MAIL_URL: "${dependencies.mail.url}"}\ndeploy: {smoke: [GET /needs-mail]}\n'
    "dependencies: {mail: {needs: soft, without: nobody notices}}\n",
}


class Sandbox:
    """One sandbox, driven by its command line."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home, self.place = folder, home, Place(home)

    def command(self, *words: str) -> list[str]:
        return [DRYSTONE, "sandbox", *words, "--home", str(self.home)]

    def run(self, *words: str, code: int = 0) -> str:
        said = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert said.returncode == code, said.stdout + said.stderr
        return said.stdout + said.stderr

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start it in a terminal of its own, and wait until it is up."""
        started = subprocess.Popen(
            self.command("up", *words),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.until_it_says(started, "Ctrl-C")
        return started

    def until_it_says(self, started: subprocess.Popen[str], word: str) -> None:
        assert started.stdout is not None
        said = ""
        for line in started.stdout:
            said += line
            if word in line:
                return
        raise AssertionError(said)

    def ask(self, service: str, path: str) -> str:
        port = re.search(r"^port = (\d+)$", (self.home / "settings.toml").read_text(), re.MULTILINE)
        assert port
        request = urllib.request.Request(
            f"http://127.0.0.1:{port[1]}{path}", headers={"host": f"{service}.local.localhost"}
        )
        with opened(request) as answer:
            return str(answer.read().decode())

    def called(self, url: str, path: str) -> Any:
        return json.loads(self.ask("shop", f"/ask/{url}{path}"))


def opened(address: str | urllib.request.Request) -> http.client.HTTPResponse:
    answer = urllib.request.urlopen(address, timeout=20)  # noqa: S310 - of this machine
    assert isinstance(answer, http.client.HTTPResponse)
    return answer


def until(holds: Callable[[], bool], limit_s: float = 60) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end, "it did not come to hold in time"
        time.sleep(0.05)


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "server.py").write_text(SERVER)
        (folder / name / "service.yaml").write_text(f"service: {name}\n{COMMON}{SERVICES[name]}")
    (folder / "mocks").mkdir(exist_ok=True)
    (folder / "mocks/billing.json").write_text(json.dumps(BILLING))
    (folder / "mocks/order.created.json").write_text('{"type": "string", "format": "uuid"}')
    return folder


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    one = Sandbox(made(tmp_path / "store", "shop", "ledger"), short_home("sandbox"))
    yield one
    left = remains(one.home)
    kill_what_remains(one.home)
    shutil.rmtree(one.home, ignore_errors=True)
    assert left == []


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of three services that is up, for tests that leave it as it is."""
    folder = made(tmp_path_factory.mktemp("work") / "store", "shop", "ledger", "desk")
    (folder / "mocks/mail.json").write_text(json.dumps(MAIL))
    one = Sandbox(folder, short_home("sandbox"))
    try:
        one.run("--detach")
        yield one
    finally:
        one.run("reset", "--yes", "store")
        left = remains(one.home)
        kill_what_remains(one.home)
        shutil.rmtree(one.home, ignore_errors=True)
    assert left == []


def test_services_run_with_what_they_need(running: Sandbox) -> None:
    assert running.called("BILLING_URL", "/invoices/7") == [200, '{"total": 12.5}']
    assert running.called("LEDGER_URL", "/") == [200, "ok"]
    assert running.called("MAIL_URL", "/") == [204, ""]
    assert running.called("SEARCH_URL", "/")[0] == 503
    status, said = running.called("BILLING_URL", "/invoices/x")
    assert (status, "must be an integer" in said) == (400, True)

    def shown() -> str:
        return running.run("status")

    until(lambda: "GET /invoices/x  400  the path parameter id must be an integer" in shown())
    document = json.loads(running.run("status", "--json"))
    ways = {one["choice"]["name"]: one["choice"]["way"] for one in document["sandbox"]["served"]}
    assert ways == {
        "billing": "mock",
        "desk": "real",
        "ledger": "real",
        "mail": "mock",
        "search": "absent",
        "shop": "real",
    }


def test_the_dashboard_opens_to_those_who_have_its_key(running: Sandbox) -> None:
    address = running.place.dashboard()
    assert address is not None
    base = address.partition("?")[0]
    for stranger in (base, f"{base}?key=wrong", f"{base}settings/ledger", f"{base}logs/ledger"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            opened(stranger)
        assert refused.value.code == 403
        refused.value.close()
    with pytest.raises(urllib.error.HTTPError) as rebound:
        opened(urllib.request.Request(address, headers={"host": "evil.example"}))  # noqa: S310
    assert rebound.value.code == 421
    rebound.value.close()

    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def read(path: str) -> str:
        with browser.open(base + path, timeout=30) as answer:
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            page = str(answer.read().decode())
        assert running.place.key not in page
        return page

    with browser.open(address, timeout=30) as answer:
        assert "key=" not in answer.url
    page = read("")
    assert all(word in page for word in ("mocked from", "absent", "Last calls", "ledger"))
    hidden, shown = read("settings/ledger"), read("settings/ledger?secrets=shown")
    assert "STATE_PATH" in hidden
    password = re.search(r"FAST_PASSWORD.*?<code>([^<]+)</code>", shown)
    assert password
    assert len(password[1]) > 10
    assert password[1] not in hidden


def test_what_a_descriptor_says_of_a_soft_dependency_is_proven_or_not(running: Sandbox) -> None:
    said = running.run("prove", code=1)

    assert "holds shop without mail: no mail goes out" in said
    assert "holds shop without search: nothing is found" in said
    assert "3 soft dependencies, 1 not held" in said
    assert "broken desk without mail: nobody notices" in said
    assert "/needs-mail: status 503" in said


def test_events_reach_those_who_want_them(running: Sandbox) -> None:
    before = running.ask("ledger", "/events").count("\n")

    said = running.run("emit", "order.created", "--count", "2")

    assert said.count("ledger POST /events  200") == 2
    events = running.ask("ledger", "/events").splitlines()[before:]
    assert [json.loads(one)["type"] for one in events] == ["order.created"] * 2


def test_data_stays_until_somebody_types_the_name(sandbox: Sandbox) -> None:
    sandbox.run("--detach")
    sandbox.run("emit", "order.created")
    kept = sandbox.ask("ledger", "/events")
    assert "is down" in sandbox.run("down")
    assert remains(sandbox.home) == []
    with socket.create_server(("127.0.0.1", _port(sandbox))):  # taken meanwhile
        sandbox.run("--detach", "--with", "ledger=real")
        assert sandbox.ask("ledger", "/events") == kept
        assert "is not its name" in sandbox.run("reset", "--yes", "shop", code=1)
        assert "gone" in sandbox.run("reset", "--yes", "store")
    assert not sandbox.home.exists()


def _port(sandbox: Sandbox) -> int:
    found = re.search(r"port = (\d+)", (sandbox.home / "settings.toml").read_text())
    assert found
    return int(found[1])


@pytest.mark.slow
def test_however_the_terminal_ends_nothing_goes_on(sandbox: Sandbox) -> None:
    terminal = sandbox.begin()
    assert sandbox.called("BILLING_URL", "/invoices/7")[0] == 200
    os.kill(terminal.pid, signal.SIGKILL)
    terminal.communicate(timeout=LIMIT_S)
    until(lambda: remains(sandbox.home) == [])

    terminal = sandbox.begin("--watch")  # beside another one, and as if nothing had been
    server = sandbox.folder / "shop/server.py"
    server.write_text(SERVER.replace('"ok"', '"changed"'))
    sandbox.until_it_says(terminal, "✓ shop")
    assert sandbox.ask("shop", "/") == "changed"
    server.write_text("raise SystemExit(3)")
    sandbox.until_it_says(terminal, "✗ shop")
    assert sandbox.ask("shop", "/") == "changed"
    os.kill(terminal.pid, signal.SIGINT)
    terminal.communicate(timeout=LIMIT_S)
    assert terminal.returncode == 0
    assert remains(sandbox.home) == []


@pytest.mark.slow
def test_what_an_earlier_terminal_left_behind_is_adopted(sandbox: Sandbox) -> None:
    sandbox.run("--detach")
    agent = Home(sandbox.home).run / "agent.lock"
    first = agent.read_text()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "5")
            self.end_headers()
            self.wfile.write(b"stage")

        @override
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        terminal = sandbox.begin("--with", f"mail=proxy:http://127.0.0.1:{other.server_port}")
        assert agent.read_text() == first
        assert sandbox.called("MAIL_URL", "/") == [200, "stage"]
        assert "holds shop without search" in sandbox.run("prove", "shop", "ledger")
        assert "another terminal" in sandbox.run("--with", "mail=absent")
        assert sandbox.called("MAIL_URL", "/")[0] == 503
        os.kill(terminal.pid, signal.SIGINT)
        terminal.communicate(timeout=LIMIT_S)
        other.shutdown()
    assert processes_of(sandbox.home) == {}
