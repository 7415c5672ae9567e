"""Services live in networks of their own: what they declared is there, and nothing else is."""

from __future__ import annotations

import ipaddress
import json
import socket
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from drystone.l10_engines.networks.driver import Networks
from drystone.testing.python_image import PYTHON
from journeys.place import Place, eventually, small_service

if TYPE_CHECKING:
    from pathlib import Path

TRY = """
    import json, os, socket, sys, urllib.error, urllib.request

    def ask(url):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return [answer.status, answer.read().decode()]
        except urllib.error.HTTPError as e:
            return [e.code, e.read().decode()]
        except OSError as e:
            return [0, str(e)]

    def name(host):
        try:
            return socket.gethostbyname(host)
        except OSError as e:
            return str(e)

    found = {what: ask(url) for what, url in json.loads(sys.argv[1]).items()}
    found["name"] = name("undeclared.example.invalid")
    found["below"] = name("any.far.example")
    found["port"] = ask(f"http://{found['below']}:5432/")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.sendto(b"hello", ("203.0.113.9", 443))
            found["datagram"] = "sent"
        except OSError as e:
            found["datagram"] = e.strerror
    print(json.dumps(found))
"""


async def test_a_service_reaches_what_it_declares_and_is_told_how_to_declare_the_rest(
    platform: Place, tmp_path: Path
) -> None:
    if (reason := await Networks(tmp_path).available()) is not None:
        pytest.skip(reason)
    callee, stranger, caller = platform.name(), platform.name(), platform.name()
    declares = {
        "dependencies": {callee: "hard"},
        "resources": {"db": {"type": "postgres"}},
        "network": {"egress": ["*.far.example"]},
    }
    for service, more in ((callee, {}), (stranger, {}), (caller, declares)):
        descriptor = small_service(tmp_path / service, service, **more)
        assert (await platform.deploy(descriptor)).code == 0
    ports = {s: (await platform.instances(s))[0]["port"] for s in (callee, stranger)}
    address = json.loads((platform.home / "ports.json").read_text())[f"{caller}.dev>{callee}.dev"]
    tries = {
        "declared": f"http://127.0.0.1:{address}/",
        "past the sidecar": f"http://127.0.0.1:{ports[callee]}/",
        "undeclared": f"http://127.0.0.1:{ports[stranger]}/",
        "edge": f"http://127.0.0.1:{platform.port}/",
        "metadata": "http://169.254.169.254/latest/",
    }
    said = await platform.drystone.must(
        "exec", caller, "--", PYTHON, "-c", dedent(TRY), json.dumps(tries)
    )
    found: dict[str, Any] = json.loads(said.out)
    assert found["declared"][0] == 200
    assert {what: found[what][0] for what in tries if what != "declared"} == {
        "past the sidecar": 403,
        "undeclared": 403,
        "edge": 403,
        "metadata": 403,
    }
    assert "DestinationUndeclared" in found["undeclared"][1]
    assert "not known" in found["name"]
    assert ipaddress.ip_address(found["below"]) in ipaddress.ip_network("127.64.0.0/10")
    assert (found["port"][0], found["datagram"]) == (403, "Operation not permitted")
    database = 'import os, socket, urllib.parse as u; a = u.urlsplit(os.environ["DB_URL"])'
    connect = f"{database}; socket.create_connection((a.hostname, a.port), 20); print('there')"
    assert (
        "there" in (await platform.drystone.must("exec", caller, "--", PYTHON, "-c", connect)).out
    )

    wanted = (
        stranger,
        "metadata",
        "sent datagrams of UDP to 203.0.113.9:443",
        'network: {egress: ["*.far.example", "*.far.example:5432"]}',
    )

    async def told() -> bool:
        out = (await platform.drystone.must("refusals", caller)).out
        return all(one in out for one in wanted)

    await eventually(told)
    from_outside = await platform.get(caller)
    assert from_outside.status_code == 200
    with pytest.raises(
        OSError, match="refused"
    ):  # nobody comes past the proxy from the host either
        socket.create_connection(("127.0.0.1", ports[stranger]), timeout=10)
