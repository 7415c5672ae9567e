"""The public Python library of ASAP, as a client that has kept nothing yet."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from atlassian_jwt_auth import HTTPSPublicKeyRetriever, JWTAuthVerifier
from atlassian_jwt_auth.key import HTTPSMultiRepositoryPublicKeyRetriever

from l20_trust.key_rings import PAYMENTS
from l20_trust.keys.conftest import Running

Verify = Callable[..., Any]


def of_several(urls: Sequence[str]) -> Any:
    """Look keys up in the first repository that answers."""
    return HTTPSMultiRepositoryPublicKeyRetriever(list(urls))


def of_the_first(urls: Sequence[str]) -> Any:
    """Look keys up in one repository."""
    return HTTPSPublicKeyRetriever(urls[0])


@contextmanager
def library(
    running: Running, look_up: Callable[[Sequence[str]], Any] = of_several, **options: Any
) -> Iterator[Verify]:
    """Verify as the public library does.

    Args:
        running: Who serves the keys.
        look_up: Makes what looks keys up in the repositories.
        options: Of the library's verifier.
    """
    HTTPSPublicKeyRetriever._class_session = None
    found = JWTAuthVerifier(look_up([server.url for server in running.parts.servers]), **options)

    def verify(token: str, audience: str = PAYMENTS) -> Any:
        return found.verify_jwt(token, audience, verify=str(running.trusted), timeout=10)

    with warnings.catch_warnings():
        # It leaves sockets to the collector, at any moment.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield verify
        finally:
            session = HTTPSPublicKeyRetriever._class_session
            if session is not None:
                session.close()
            HTTPSPublicKeyRetriever._class_session = None
            gc.collect()
