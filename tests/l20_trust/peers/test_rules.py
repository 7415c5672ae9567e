"""What may be said of another platform, and what of its answers is believed."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l20_trust.keys import domain as rings
from drystone.l20_trust.keys.errors import PeerUnfit
from drystone.l20_trust.keys.peers import domain
from drystone.l20_trust.keys.peers.api import PeerSaid
from drystone.l20_trust.keys.peers.domain import Peer, allowed, checked, keys_in
from drystone.l20_trust.keys.signer import with_new_key, with_spares
from l20_trust.key_rings import NOW, ORDERS, pair

GOOD = {**pair().jwk, "kid": f"{ORDERS}/a.pem"}


def said(url: str = "https://127.0.0.1:8431/", **more: Any) -> PeerSaid:
    given = {"authority": "", "issuers": (ORDERS,), "callees": ("dev/payments",), **more}
    return PeerSaid((url,), **given)


def document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8431/",
        "https://",
        "https:///keys/",
        "https://me:secret@127.0.0.1/",
        "https://127.0.0.1/?a=b",
        "https://127.0.0.1/#a",
        "https://127.0.0.1:port/",
        "https://127.0.0.1:99999/",
        "https://127.0.0.1\r\nx: y/",
        "https://[::1/",
        "file:///etc/passwd",
        "https://ex ample/",
        "https://127.0.0.1/" + "a" * 300,
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(PeerUnfit, match="no key repository"):
        checked("home", said(url))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://127.0.0.1:8431", "https://127.0.0.1:8431/"),
        ("https://127.0.0.1:8431/keys/", "https://127.0.0.1:8431/"),
        ("https://keys.example/of/mykeys/", "https://keys.example/of/mykeys/"),
        ("https://[::1]:8431/", "https://[::1]:8431/"),
    ],
)
def test_an_address_may_be_the_one_that_instances_are_given(given: str, kept: str) -> None:
    assert checked("home", said(given)).repositories == (kept,)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("", {}),
        ("../x", {}),
        ("a@b", {}),
        ("home", {"issuers": ()}),
        ("home", {"issuers": ("orders",)}),
        ("home", {"issuers": ("dev/../x",)}),
        ("home", {"issuers": ("*",)}),
        ("home", {"callees": ()}),
        ("home", {"callees": ("dev/payments@x",)}),
        ("home", {"issuers": tuple(f"dev/s{n}" for n in range(65))}),
    ],
)
def test_names_lead_nowhere_and_everybody_is_named(name: str, more: dict[str, Any]) -> None:
    with pytest.raises(PeerUnfit):
        checked(name, said(**more))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"keys": 1}',
        b'{"keys": [1]}',
        b"[" * 100_000,
        document({**GOOD, "kid": "dev/mail/a.pem"}),
        document({**GOOD, "kid": "dev/orders-2/a.pem"}),
        document({**GOOD, "kid": "dev/orders/deeper/a.pem"}),
        document({**GOOD, "kid": ORDERS}),
        document({**GOOD, "kid": f"{ORDERS}/"}),
        document({**GOOD, "kid": f"{ORDERS}/a\n"}),
        document({**GOOD, "kid": 7}),
        document(GOOD, GOOD),
        document({**GOOD, "x": "AAAA"}),
        document({**GOOD, "y": GOOD["x"]}),
        document({"kty": "oct", "k": "c2VjcmV0", "kid": f"{ORDERS}/a.pem"}),
        document({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": f"{ORDERS}/a.pem"}),
        document({**pair("rsa", "RS256").jwk, "e": "Aw", "kid": f"{ORDERS}/a.pem"}),
        document(*({**GOOD, "kid": f"{ORDERS}/{n}"} for n in range(domain.MOST_KEYS + 1))),
    ],
)
def test_an_answer_with_anything_wrong_is_not_believed_at_all(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"it (answers|has)"):
        keys_in(content, ORDERS)


def test_of_a_key_nothing_is_taken_but_what_verifies() -> None:
    strange = {**GOOD, "alg": "HS256", "x5u": "https://elsewhere", "key_ops": ["sign"], "d": "x"}
    (key,) = keys_in(document(strange), ORDERS)
    assert key == {**pair().jwk, "kid": GOOD["kid"], "alg": "ES256", "use": "sig"}


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text() | st.lists(st.none() | st.integers()))
def test_no_answer_is_more_than_not_believed(content: object) -> None:
    raw = content if isinstance(content, bytes) else document(content)
    with pytest.raises(ValueError, match=r"it (answers|has)"):
        keys_in(raw, ORDERS)


def test_an_id_means_the_key_of_this_platform_and_then_of_the_first_that_was_trusted() -> None:
    peers = [Peer(name, said(), NOW, "me") for name in ("first", "second")]
    known = {
        f"{ORDERS}@first": [{"kid": "a", "of": 1}, {"kid": "b", "of": 1}],
        f"{ORDERS}@second": [{"kid": "b", "of": 2}, {"kid": "c", "of": 2}],
    }

    def of(name: str) -> list[str]:
        return [key["kid"] for key in allowed(peers, known, f"{ORDERS}@{name}", {"a"})]

    assert (of("first"), of("second")) == (["b"], ["c"])
    assert allowed(peers, known, f"{ORDERS}@third", ()) == []


def test_a_key_is_known_to_others_before_it_signs() -> None:
    ring = with_spares(with_new_key(rings.Ring("dev", "orders"), 1, "ES256", NOW), "ES256", NOW)
    for step in range(1, 4):
        known = {key["kid"] for key in rings.issuer_set(ring, NOW)["keys"]}
        now = NOW + timedelta(seconds=step)
        ring = with_spares(with_new_key(ring, 1, "ES256", now), "ES256", now)
        signs = ring.active()
        assert signs is not None
        assert ring.id_of(signs) in known
        assert signs.made == now
        assert signs.name == max(key.name for key in ring.keys)


def test_keys_that_were_made_ahead_are_given_up_with_their_algorithm_and_their_service() -> None:
    ring = with_spares(with_new_key(rings.Ring("dev", "orders"), 1, "ES256", NOW), "ES256", NOW)
    left, key = rings.without_spare(ring, "RS256")
    assert (left.spares, key) == ((), None)
    names = {key.name for key in ring.keys}
    assert rings.swept(rings.revoked(ring, names, NOW), NOW).spares == ()
