"""Spellings, headers and protocols by which somebody might go past a door: through a real Envoy."""

from __future__ import annotations

import re
import socket
from typing import Any

import h2.connection
import h2.events
import pytest

from drystone.l35_mesh.signin import cookies
from l35_mesh.signin.stand import Person, Stand
from l35_mesh.signin.test_gate import bearer, build, call, token

PATIENCE = 30.0


def by_http2(stand: Stand, method: str, path: str, **headers: str) -> int:
    """Send one request by HTTP/2, where a method is any word; return the status, 0 where the stream was reset."""
    connection = h2.connection.H2Connection()
    with socket.create_connection(("127.0.0.1", stand.port), PATIENCE) as way:
        connection.initiate_connection()
        fields = {
            ":method": method,
            ":path": path,
            ":scheme": "http",
            ":authority": f"orders.dev.localhost:{stand.port}",
            **headers,
        }
        connection.send_headers(1, list(fields.items()), end_stream=True)
        way.sendall(connection.data_to_send())
        while content := way.recv(65536):
            for event in connection.receive_data(content):
                if isinstance(event, h2.events.ResponseReceived):
                    return int(dict(event.headers)[b":status"])
                if isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    return 0
            way.sendall(connection.data_to_send())
    return 0


@pytest.mark.parametrize("method", ["delete", "Delete", "pOST"])
def test_a_method_in_other_letters_goes_past_no_door(stand: Stand, method: str) -> None:
    """Frameworks there are that write it large before they look (Django, Werkzeug)."""
    bob = bearer(token(stand, user="bob", groups=["staff"]))
    assert by_http2(stand, "GET", "/x", **bob) == 200
    assert by_http2(stand, method, "/x", **bob) in {0, 403}


@pytest.mark.parametrize(
    "path", ["/ADMIN/x", "/aDmin", "/OPEN", "/deploys/", "/Deploys", "/Closed/x", "/CLOSED"]
)
def test_a_path_in_other_letters_goes_past_no_door(stand: Stand, path: str) -> None:
    bob = bearer(token(stand, user="bob", groups=["staff"]))
    assert call(stand, path, method="POST", **bob).status_code == 403


def test_a_route_holds_with_and_without_the_slash_at_its_end(stand: Stand) -> None:
    ada, bob = bearer(token(stand)), bearer(token(stand, user="bob", groups=["staff"]))
    for path in ("/closed", "/closed/", "/closed/x", "/closed/x/"):
        assert call(stand, path, **bob).status_code == 403, path
        assert call(stand, path, **ada).status_code == 200, path
    assert call(stand, "/deploys/", method="POST", **bearer(build(stand))).status_code == 200
    assert call(stand, "/open/").status_code == 200
    assert call(stand, "/closedness", **bob).status_code == 200


def test_no_header_says_that_a_request_is_another_one(stand: Stand) -> None:
    overrides = {
        "x-http-method-override": "DELETE",
        "x-http-method": "DELETE",
        "x-method-override": "DELETE",
        "x-original-url": "/admin",
        "x-rewrite-url": "/admin",
        "X_Drystone_User": "root",
        "x-drystone_groups": "admins",
    }
    said = call(stand, "/x", method="POST", **overrides, **bearer(token(stand))).json()
    assert {name.lower() for name in overrides}.isdisjoint(said)


def _stream(stand: Stand, **headers: str) -> socket.socket:
    """Begin a request whose answer has no end."""
    way = socket.create_connection(("127.0.0.1", stand.port), PATIENCE)
    host = {"host": f"streams.dev.localhost:{stand.port}"}
    lines = [f"{name}: {value}" for name, value in {**host, **headers}.items()]
    way.sendall("\r\n".join(["GET /stream HTTP/1.1", *lines, "", ""]).encode())
    begun = b""
    while b"begun" not in begun:
        more = way.recv(1024)
        assert more, begun
        begun += more
    return way


def test_what_somebody_has_begun_ends_though_the_service_never_ends_it(stand: Stand) -> None:
    """Who asks is looked at when a request begins; they may have signed out since."""
    person: dict[str, Any] = {"user": "bob", "groups": None, "group_names": None}
    bob = token(stand, aud="dev/streams", **person)
    build = token(stand, aud="dev/streams", **{**person, "user": None, "build": "ci/orders"})
    with _stream(stand, **bearer(stand.caller.token("dev/streams"))) as services_own:
        cookie = {"cookie": f"{cookies.SERVICE}={bob}"}
        with _stream(stand, **cookie) as persons, _stream(stand, **bearer(build)) as builds:
            for way in (persons, builds):
                while way.recv(1024):
                    pass  # it ends, or the time of the test does
        services_own.setblocking(False)
        with pytest.raises(BlockingIOError):
            services_own.recv(1024)


def test_the_service_does_not_get_the_cookies_of_the_sign_in(stand: Stand, person: Person) -> None:
    person.sign_in(stand.url("orders"))
    person.jar["orders.dev.localhost"] |= {"mine": "1", "other": "2"}
    said = person.ask(stand.url("orders", "/x"), headers={"accept": "application/json"}).json()
    assert said["x-drystone-user"] == "ada"
    assert said["cookie"] == "mine=1; other=2"
    person.jar["orders.dev.localhost"].pop("mine")
    person.jar["orders.dev.localhost"].pop("other")
    said = person.ask(stand.url("orders", "/x"), headers={"accept": "application/json"}).json()
    assert "cookie" not in said


def test_nothing_of_an_answer_is_told_to_a_browser_that_was_not_sent(
    stand: Stand, person: Person
) -> None:
    """Whoever leads somebody here could have his own words stand on a page of the sign-in."""
    words = "call+0800+123456+and+tell+your+password"
    answer = person.ask(f"{stand.address}/callback?error=x&error_description={words}&state=x")
    assert answer.status_code == 401
    assert "0800" not in answer.text


def test_a_token_of_somebody_else_signs_nobody_out(
    stand: Stand, ada: Person, person: Person
) -> None:
    with Person(stand.port) as bob:
        bob.sign_in(stand.url("orders"), "bob", "battery staple")
        gone = bob.send(bob.follow(f"{stand.address}/out"))
        found = re.search(r'url=([^"]+end_session[^"]+)"', gone.text)
        assert found is not None
        theirs = found[1].replace("&amp;", "&")
    assert "You are signed in as ada" in ada.ask(theirs).text
    assert cookies.PROVIDER in ada.jar["signin.localhost"]
    person.sign_in(stand.url("orders"))
    mine = person.send(person.follow(f"{stand.address}/out"))
    found = re.search(r'url=([^"]+end_session[^"]+)"', mine.text)
    assert found is not None
    answer = person.ask(found[1].replace("&amp;", "&"))
    assert (answer.status_code, cookies.PROVIDER in person.jar["signin.localhost"]) == (302, False)
