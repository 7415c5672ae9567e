"""What goes over the wire: small, named by its content, and nothing that another site could use."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l05_graph.model import Component, Model, checked
from drystone.l80_governance.dependencies.app import PAGES
from drystone.testing.asgi import ask
from l80_governance.dependencies.stand import Held, historical, shop, view_of

POLICY_WORDS = ("default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'")
KEYS = [
    *["q", "page", "sort", "severity", "rule", "owner", "kind", "layer", "band", "from", "to"],
    *["rows", "columns", "measure", "strength", "at", "risk", "where", "source", "target"],
    *["name", "steps", "of", "goal", "move", "limit", "version", "look", "cell", "nonsense"],
]


async def test_a_page_that_has_not_changed_is_not_sent_again() -> None:
    app = view_of(shop())
    first = await ask(app, "layers")
    again = await ask(app, "layers", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = await ask(app, "layers?band=2", headers={"if-none-match": first.headers["etag"]})
    assert other.status == 200


async def test_a_page_changes_with_its_model() -> None:
    models = Held(shop())
    app = view_of(models.model)
    before = await ask(app, "services")
    changed = view_of(checked([Component(name="alone")], []))
    assert (await ask(changed, "services")).headers["etag"] != before.headers["etag"]


async def test_pages_are_packed_for_those_who_take_it() -> None:
    app = view_of(shop())
    packed = await ask(app, "", headers={"accept-encoding": "br, gzip;q=0.8"})
    plain = await ask(app, "", headers={"accept-encoding": "gzip;q=0, identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.body == plain.body
    assert int(packed.headers["content-length"]) * 2 < int(plain.headers["content-length"])


@pytest.mark.parametrize("path", ["", "layers", "nothing", "static/style.css", "matrix.bin"])
async def test_everything_says_what_a_browser_may_do(path: str) -> None:
    answer = await ask(view_of(shop()), path)
    policy = answer.headers["content-security-policy"]
    assert all(word in policy for word in POLICY_WORDS)
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_files_are_kept_for_ever_under_the_name_of_their_content() -> None:
    app = view_of(shop())
    page = await ask(app, "")
    address = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    assert "immutable" in (await ask(app, address)).headers["cache-control"]
    assert "immutable" not in (await ask(app, "static/style.css?v=old")).headers["cache-control"]


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.test"},
        {"origin": "null"},
    ],
)
async def test_another_sites_page_changes_nothing(headers: dict[str, str]) -> None:
    app = view_of(historical("registry"))
    answer = await ask(app, "end-search", method="POST", headers=headers)
    assert answer.status == 403


async def test_a_form_without_measure_is_refused() -> None:
    app = view_of(shop())
    for body in (b"a=" + b"x" * 30_000, b"&".join([b"a=1"] * 200), b"\xff\xfe"):
        assert (await ask(app, "end-search", method="POST", body=body)).status == 422


SHOP = view_of(shop())


@settings(max_examples=20)
@given(
    path=st.sampled_from([*PAGES, "tangle", "matrix.bin", "static/x", "service"]),
    query=st.lists(st.tuples(st.sampled_from(KEYS), st.text(max_size=12) | st.integers().map(str))),
)
async def test_no_address_breaks_a_page(path: str, query: list[tuple[str, str]]) -> None:
    answer = await ask(SHOP, f"{path}?{urlencode(query, errors='backslashreplace')}")
    assert answer.status in {200, 404, 422}


@pytest.mark.parametrize(
    "query",
    ["q=" + "x" * 60_000, "&".join(["change=x"] * 5000), "&".join(f"k{n}=1" for n in range(9000))],
)
async def test_an_address_without_measure_is_answered_in_measure(query: str) -> None:
    for path in ("services", "scenario", "tabletop", "dependencies"):
        answer = await ask(SHOP, f"{path}?{query}")
        assert answer.status in {200, 422}
        assert len(answer.body) < 600_000


async def test_what_cannot_be_shown_is_told_with_what_to_do() -> None:
    answer = await ask(view_of(shop()), "service?name=storefrnt")
    assert answer.status == 404
    assert "did you mean &#x27;storefront&#x27;" in answer.text
    unclear = await ask(view_of(shop()), "findings?severity=awful")
    assert unclear.status == 422
    assert "choose one of error, warning, note" in unclear.text


async def test_an_empty_model_says_what_to_do() -> None:
    assert "Write a survey" in (await ask(view_of(Model()), "")).text
