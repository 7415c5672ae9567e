"""Looks public keys up in key repositories, for verifiers that are not in the agent's process.

A key is kept as long as the repository allows, and that there is none for a while, too. The second repository is asked when the
first does not answer; where it answers that there is no such key, there is none. When neither answers, what was kept goes on
to hold for a while: a repository that is down makes no call fail.

What strangers send decides what is looked up, so everything is bounded: ids have one form and belong to known issuers,
answers are short, only so many lookups run at a time and only so much is kept, what exists apart from what does not.
"""

from __future__ import annotations

import http.client
import re
import ssl
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from drystone.l00_kernel.clock import Clock, SystemClock
from drystone.l00_kernel.errors import Invalid
from drystone.l20_trust.keys.errors import KeysOutOfReach

LONGEST_KEPT = timedelta(minutes=10)
"""However long a repository allows."""

NONE_KEPT = timedelta(seconds=10)
"""How long it is remembered that there is no such key."""

GRACE = timedelta(minutes=30)
"""How long a key goes on to hold beyond its time while no repository answers."""

MOST_KEPT = 1024
AT_ONCE = 8
PATIENCE_S = 3.0
LARGEST = 16 * 1024

_ID = re.compile(r"((?:[\w.+-]{1,64}/){1,8})[\w.+-]{1,128}", re.ASCII)
_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:[,\s]|$)")
_GONE = (403, 404, 410)


class _Kept(NamedTuple):
    key: str | None
    until: datetime


class RepositoryKeys:
    """A source of keys: what key repositories publish. May be called from any thread; a lookup waits for the network.

    Args:
        urls: Addresses of the repositories, in the order in which they are asked; a key's id comes behind.
        authority: Certificate of the authority that they are trusted by; those that the system knows when None.
        issuers: Whose keys are looked up; anybody's when None.
        clock: The time.

    Raises:
        Invalid: An address does not begin with ``https://``.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        authority: Path | None = None,
        issuers: Collection[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        for url in urls:
            if not url.startswith("https://") or not urlsplit(url).hostname:
                raise Invalid(f"{url!r} is no key repository: its address begins with https://")
        self._urls = [url if url.endswith("/") else f"{url}/" for url in urls]
        self._issuers = issuers
        self._clock = clock or SystemClock()
        self._tls = ssl.create_default_context(cafile=authority)
        self._found: OrderedDict[str, _Kept] = OrderedDict()
        self._missing: OrderedDict[str, _Kept] = OrderedDict()
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()

    def __call__(self, key_id: str) -> str | None:
        """Return a public key as PEM; None where nobody publishes it.

        Args:
            key_id: Its id.

        Raises:
            KeysOutOfReach: No repository answers, and it was not looked up before.
        """
        match = _ID.fullmatch(key_id)
        if match is None or {".", ".."} & set(key_id.split("/")):
            return None
        if self._issuers is not None and match[1][:-1] not in self._issuers:
            return None
        now = self._clock.now()
        with self._lock:
            kept = self._found.get(key_id) or self._missing.get(key_id)
        if kept is not None and now < kept.until <= now + LONGEST_KEPT:  # or the clock was put back
            return kept.key
        try:
            looked = self._look_up(key_id)
        except KeysOutOfReach:
            if kept is not None and kept.key is not None and now < kept.until + GRACE:
                return kept.key
            raise
        self._keep(key_id, looked)
        return looked.key

    def _keep(self, key_id: str, looked: _Kept) -> None:
        into, out_of = self._found, self._missing
        if looked.key is None:
            into, out_of = out_of, into
        with self._lock:
            out_of.pop(key_id, None)
            into[key_id] = looked
            into.move_to_end(key_id)
            while len(into) > MOST_KEPT:
                into.popitem(last=False)

    def _look_up(self, key_id: str) -> _Kept:
        if not self._places.acquire(timeout=PATIENCE_S):
            raise KeysOutOfReach("too many keys are being looked up; try again")
        try:
            reasons = []
            for url in self._urls:
                try:
                    return self._ask(url, key_id)
                except (OSError, http.client.HTTPException, ValueError) as e:
                    reasons.append(f"{url}: {e or type(e).__name__}")
        finally:
            self._places.release()
        raise KeysOutOfReach(f"no key repository answers: {'; '.join(reasons)}")

    def _ask(self, url: str, key_id: str) -> _Kept:
        """Ask one repository.

        Raises:
            OSError: It does not answer.
            HTTPException: It does not speak HTTP.
            ValueError: It answers something else than it should.
        """
        place = urlsplit(url)
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port, timeout=PATIENCE_S, context=self._tls
        )
        try:
            headers = {"Accept": "application/x-pem-file", "Connection": "close"}
            connection.request("GET", f"{place.path}{key_id}", headers=headers)
            answer = connection.getresponse()
            body = answer.read(LARGEST + 1)
        finally:
            connection.close()
        now = self._clock.now()
        if answer.status in _GONE:
            return _Kept(None, now + NONE_KEPT)
        kind = answer.headers.get_content_type()
        if answer.status != 200 or kind != "application/x-pem-file" or len(body) > LARGEST:
            raise ValueError(f"status {answer.status}, {kind}, {len(body)} bytes")
        return _Kept(body.decode("ascii"), now + _age(answer.headers.get("cache-control", "")))


def _age(cache_control: str) -> timedelta:
    """Return how long an answer may be kept (RFC 9111 section 5.2.2.1); not at all where nothing says so."""
    found = _AGE.search(cache_control.lower())
    if found is None or "no-store" in cache_control.lower():
        return timedelta(0)
    return min(timedelta(seconds=int(found[1])), LONGEST_KEPT)
