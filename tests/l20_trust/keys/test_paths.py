"""What a request can make the key repository read: nothing but what was published."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from drystone.l20_trust.keys.http import KeyRepository


@given(path=st.binary(max_size=60) | st.from_regex(rb"/(keys|jwks)/[!-~]{0,40}", fullmatch=True))
def test_no_path_whatever_leads_out_of_what_is_published(path: bytes) -> None:
    opened: list[Path] = []

    class Watched(KeyRepository):
        @override
        def _file(self, kind: str, parts: Any, media_type: str, *, keep: str = "") -> Any:
            opened.append(Path("/public", kind, *(part.decode() for part in parts)))
            return "404 Not Found", media_type, "no-store", b""

    Watched(Path("/public")).answer(b"GET " + path + b" HTTP/1.1")
    for place in opened:
        assert os.path.normpath(place) == str(place)
        assert len(place.parts) in {5, 6}
        assert place.suffix in {".pem", ".json"}


def test_a_link_among_what_is_published_leads_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "keys/dev/orders"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (folder / "x.pem").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "y.pem")
    repository = KeyRepository(tmp_path)
    assert repository.answer(b"GET /keys/dev/orders/x.pem HTTP/1.1")[0][0] == "404 Not Found"
    assert repository.answer(b"GET /keys/dev/orders/y.pem HTTP/1.1")[0][3] == b""
    assert repository.answer(b"GET  HTTP/1.1")[0][0] == "400 Bad Request"
