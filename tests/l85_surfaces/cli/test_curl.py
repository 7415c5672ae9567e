"""``drystone curl``."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from typing_extensions import override

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.home import Home
from drystone.l85_surfaces.cli.commands.curl import aim_at, config_of
from drystone.l85_surfaces.cli.errors import Misuse
from l20_trust.key_rings import ORDERS, orders_at
from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.small_platform import SmallPlatform


class Called(http.server.ThreadingHTTPServer):
    """Stands for the edge: remembers what came, and what others saw meanwhile."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Remembering)
        self.heads: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.bodies: list[bytes] = []
        self.seen = ""


class Remembering(http.server.BaseHTTPRequestHandler):
    """Answers with what was asked for."""

    server: Called

    def do_GET(self) -> None:
        self.server.seen += command_lines()
        self.server.lines.append(self.requestline)
        self.server.heads.append({name.lower(): value for name, value in self.headers.items()})
        self.server.bodies.append(self.rfile.read(int(self.headers.get("content-length", 0))))
        body = self.path.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - as its base calls it

    @override
    def log_message(self, *_: object) -> None:
        """Say nothing."""


def command_lines() -> str:
    """Return what everybody on this machine can read of its processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Called]:
    with Called() as server:
        monkeypatch.setenv("DRYSTONE_PORT", str(server.server_port))
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def keys(small: SmallPlatform, folder: Path) -> None:
    """Release 1 of orders in dev has a key."""
    asyncio.run(orders_at(Home(folder).trust, SystemClock()))


def bearer(head: dict[str, str]) -> str:
    scheme, _, token = head["authorization"].partition(" ")
    assert scheme == "Bearer"
    return token


def said_by(token: str) -> tuple[str, str]:
    """Return who made a token, and for whom."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return claims["iss"], claims["aud"]


@pytest.mark.usefixtures("keys")
def test_a_service_is_called_as_another_one_with_a_token_that_no_command_line_shows(
    drystone: Drystone, edge: Called
) -> None:
    words = ["-s", "-X", "POST", "-H", "x-kind: test", "-d", '{"n": 1}', "--json", "{}"]
    said = drystone("curl", "payments/v1/invoices?of=7", "--as", "orders", "--", *words)

    assert (said.code, said.err) == (0, "")
    (head,), (line,), (body,) = edge.heads, edge.lines, edge.bodies
    assert line == "POST /v1/invoices?of=7 HTTP/1.1"
    assert head["host"] == f"payments.dev.localhost:{edge.server_port}"
    assert (head["x-kind"], head["content-type"], body) == (
        "test",
        "application/json",
        b'{"n": 1}{}',
    )
    token = bearer(head)
    assert said_by(token) == (ORDERS, "dev/payments")
    assert "v1/invoices?of=7" in edge.seen, "others can see how curl was called"
    assert token not in edge.seen
    assert token.rpartition(".")[2] not in edge.seen


@pytest.mark.usefixtures("keys")
def test_machines_get_what_curl_wrote_as_one_document(drystone: Drystone, edge: Called) -> None:
    said = drystone("curl", "payments", "--as", "dev/orders", "--json", "--", "-s")
    assert json.loads(said.out) == {"exit_code": 0, "output": "/", "complaint": ""}
    gone = drystone("curl", "http://127.0.0.1:9/", "--json", "--", "-sS", "--noproxy", "*")
    assert gone.code == json.loads(gone.out)["exit_code"] == 7
    assert "Failed to connect" in json.loads(gone.out)["complaint"]


def test_without_a_caller_the_call_goes_without_a_token_and_needs_no_agent(
    drystone: Drystone, edge: Called
) -> None:
    assert drystone("curl", "payments/x", "--env", "prod", "--json").code == 0
    (head,) = edge.heads
    assert "authorization" not in head
    assert head["host"].startswith("payments.prod.localhost:")


@pytest.mark.usefixtures("keys")
def test_a_url_elsewhere_gets_a_token_for_the_audience_that_is_named(
    drystone: Drystone, edge: Called
) -> None:
    url = f"http://127.0.0.1:{edge.server_port}/v1"
    words = ["--as", "orders", "-a", "partner/api", "--json", "--", "--noproxy", "*"]
    assert drystone("curl", url, *words).code == 0
    assert said_by(bearer(edge.heads[0])) == (ORDERS, "partner/api")


@pytest.mark.usefixtures("keys")
def test_a_token_is_for_our_address_and_not_for_what_comes_next(
    drystone: Drystone, edge: Called
) -> None:
    url = f"http://127.0.0.1:{edge.server_port}/other"
    words = ["-s", "--next", "-s", "--noproxy", "*", url]
    assert drystone("curl", "payments/x", "--as", "orders", "--json", "--", *words).code == 0
    assert [("authorization" in head) for head in edge.heads] == [True, False]


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["payments", "-X", "POST"], 2, "what is for the program follows `--`"),
        (["Payments/x"], 2, "neither SERVICE/PATH nor a URL"),
        (["payments/a b"], 2, "blanks are written as %20"),
        (["payments/a\r\nx: y"], 2, "neither SERVICE/PATH nor a URL"),
        (["payments", "--env", "de/v"], 2, "'de/v' is no name of an environment"),
        (["ftp://payments/x"], 2, "begins with http:// or https://"),
        (["http://[::1/x"], 2, "is no URL"),
        (["https://api.example.org/", "--as", "orders"], 2, "say it by --audience"),
        (
            ["http://api.example.org/", "--as", "orders", "-a", "x"],
            2,
            "unencrypted, for everybody on the way to read",
        ),
        (["payments", "--as", "mail"], 1, "'mail' in 'dev' has no keys"),
        (["payments", "--as", ""], 2, "--as is empty; name a service"),
    ],
)
def test_what_cannot_be_called_is_refused(
    drystone: Drystone, words: list[str], code: int, says: str
) -> None:
    said = drystone("curl", *words)
    assert (said.code, said.out) == (code, "")
    assert says in said.err


@pytest.mark.usefixtures("keys")
def test_where_curl_is_missing_the_answer_says_what_to_do(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = drystone("curl", "payments", "--as", "orders")
    assert said.code == 1
    assert "apt install curl" in said.err
    assert "drystone token" in said.err


def test_an_address_of_the_edge_says_whom_it_calls() -> None:
    aim = aim_at("http://payments.prod.localhost:8400/x", "dev", 1)
    assert (aim.audience, aim.edge) == ("prod/payments", "payments.prod.localhost:8400")
    assert aim_at("http://payments.prod.localhost.evil.org/x", "dev", 1).audience == ""
    assert aim_at("https://a:b@evil.org/payments.dev.localhost", "dev", 1).audience == ""
    assert aim_at("payments?x=//y", "dev", 80).url == "http://payments.dev.localhost:80/?x=//y"
    with pytest.raises(Misuse):
        aim_at("http://payments.dev.localhost:x/", "dev", 1)
    assert "evil" not in config_of(aim_at("https://evil.org/", "dev", 1), "t")
