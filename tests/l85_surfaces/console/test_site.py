"""The page over HTTP: who is shown what, and who may change something."""

from __future__ import annotations

from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from drystone.l25_deployer.api import LogRecord
from drystone.l85_surfaces.console.app import application
from drystone.testing.asgi import Answer, ask, served
from l85_surfaces.console.stand import HOST, OneCookie, Told

OWN = {
    "host": HOST,
    "cookie": "person=ada",
    "origin": f"http://{HOST}",
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
}
PATHS = (
    "/",
    "/services/prod/orders",
    "/services/prod/orders/logs",
    "/releases/r-17",
    "/approvals",
    "/audit",
    "/guardrails",
    "/registry",
    "/costs?by=team&month=2026-01",
)
ORDERS = (
    *("/releases/r-17/promote", "/releases/r-17/approve", "/services/prod/orders/roll-back"),
    *("/access/tokens/abc/end", "/guardrails/freezes/winter/end"),
)


async def post(
    platform: Told, path: str, *, mark: str = "mark of ada", **headers: str | None
) -> Answer:
    said = {**OWN, **{key.replace("_", "-"): value for key, value in headers.items()}}
    sent = {key: value for key, value in said.items() if value is not None}
    body = urlencode({"mark": mark, "reason": "since"}).encode()
    return await ask(
        application(platform, OneCookie()), path, method="POST", headers=sent, body=body
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("path", [*PATHS, "/nothing"])
@pytest.mark.parametrize("host", ["localhost:8400", "127.0.0.1", "[::1]:8400"])
async def test_everybody_at_this_machine_reads_and_nothing_of_it_can_be_framed_or_run(
    path: str, host: str
) -> None:
    answer = await ask(application(Told(), OneCookie()), path, headers={"host": host})

    assert answer.status == (404 if path == "/nothing" else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert 'method="post"' not in answer.text


@pytest.mark.asyncio
async def test_costs_are_a_page_and_a_picture_and_a_month_that_is_none_is_refused() -> None:
    site, here = application(Told(), OneCookie()), {"host": "localhost:8400"}
    page = await ask(site, "/costs?by=team&month=2026-01", headers=here)
    assert 'src="/costs/chart.svg?by=team&amp;month=2026-01"' in page.text
    picture = await ask(site, "/costs/chart.svg?by=nonsense", headers=here)
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    refused = await ask(site, "/costs?month=never", headers=here)
    assert (refused.status, "is no month" in refused.text) == (422, True)


@pytest.mark.asyncio
async def test_a_host_that_is_not_this_machine_is_refused() -> None:
    for host in ("evil.example", "console.localhost.evil.example", ""):
        answer = await ask(application(Told(), OneCookie()), "/", headers={"host": host})
        assert answer.status == 421


@pytest.mark.asyncio
@pytest.mark.parametrize("path", PATHS)
async def test_at_the_name_for_people_whoever_is_not_signed_in_is_led_there(path: str) -> None:
    app = application(Told(), OneCookie())

    answer = await ask(app, f"{path}?q=a", headers={"host": HOST})

    assert answer.status == 303
    assert answer.headers["location"] == f"/.drystone/signin/begin?to={path}?q=a"
    assert (await ask(app, path, headers={"host": HOST, "cookie": "person=ada"})).status == 200


@pytest.mark.asyncio
async def test_elsewhere_a_link_leads_to_the_sign_in_and_back() -> None:
    answer = await ask(application(Told(), OneCookie()), "/audit", headers={"host": "localhost"})

    assert f'href="http://{HOST}/.drystone/signin/begin?to=/audit"' in answer.text


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ORDERS)
async def test_whoever_is_signed_in_gives_an_order_and_comes_back_to_the_page(path: str) -> None:
    platform = Told()

    answer = await post(platform, path)

    assert answer.status == 303
    assert answer.headers["location"].startswith(("/releases/", "/access", "/guardrails"))
    assert [one[0] for one in platform.did] == ["ada"]
    assert platform.did[0][3] in {"since", "tokens", "freezes"}


@pytest.mark.asyncio
@pytest.mark.parametrize("path", ORDERS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"cookie": None},
        {"mark": ""},
        {"mark": "mark of bob"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
        {"origin": "http://evil.dev.localhost"},
        {"origin": "null"},
    ],
    ids=str,
)
async def test_an_order_that_is_not_proven_is_refused(
    path: str, wrong: dict[str, str | None]
) -> None:
    platform = Told()

    answer = await post(platform, path, **wrong)  # type: ignore[arg-type]

    assert answer.status == 403
    assert platform.did == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 422),
        ({"content_type": "multipart/form-data; boundary=x"}, 422),
        ({"content_length": "100000"}, 413),
        ({"transfer_encoding": "chunked"}, 413),
    ],
)
async def test_a_form_that_is_none_is_refused(headers: dict[str, str], status: int) -> None:
    platform = Told()

    assert (await post(platform, ORDERS[0], **headers)).status == status
    assert platform.did == []


@pytest.mark.asyncio
async def test_who_may_not_is_told_so_and_who_can() -> None:
    platform = Told()
    platform.forbids = True

    answer = await post(platform, ORDERS[0])

    assert answer.status == 403
    assert "an owner of commerce can" in answer.text


@pytest.mark.asyncio
async def test_an_order_that_does_not_exist_is_refused() -> None:
    assert (await post(Told(), "/releases/r-17/explode")).status == 404


@pytest.mark.asyncio
async def test_a_page_that_did_not_change_is_not_sent_again() -> None:
    app = application(Told(), OneCookie())
    first = await ask(app, "/releases/r-17", headers={"host": "localhost"})

    again = {"host": "localhost", "if-none-match": first.headers["etag"]}

    assert (await ask(app, "/releases/r-17", headers=again)).status == 304


def test_lines_that_follow_are_events_in_which_nothing_breaks_out() -> None:
    platform = Told()
    text = "two\ndata: <b>forged</b>\n\nevent: x"
    platform.coming = [LogRecord("one", 1, text), LogRecord("one", 1, "next")]

    with (
        served(application(platform)) as place,
        urlopen(f"{place}services/prod/orders/logs/follow", timeout=30) as answer,  # noqa: S310 - our own
    ):
        kind, said = answer.headers["content-type"], answer.read().decode()

    assert kind.startswith("text/event-stream")
    assert len([one for one in said.split("\n\n") if one.startswith("data: <li>")]) == 2
    assert "<b>" not in said
    assert "\nevent:" not in said


@pytest.mark.asyncio
async def test_an_asset_by_its_content_stays_for_good() -> None:
    app = application(Told())
    page = (await ask(app, "/", headers={"host": "localhost"})).text
    address = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]

    answer = await ask(app, address, headers={"host": "localhost"})

    assert answer.status == 200
    assert "immutable" in answer.headers["cache-control"]
