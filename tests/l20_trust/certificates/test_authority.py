"""The authority signs for this machine alone, once and for all, and what servers show is short-lived."""

from __future__ import annotations

import ssl
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.certificates import Pair, ends, make_authority, make_certificate
from drystone.l20_trust.certificates.__main__ import main
from drystone.l20_trust.certificates.authority import (
    AUTHORITY_LIFE,
    RENEWED_AFTER,
    SERVER_LIFE,
    Authority,
)


def shake(pair: Path, trusted: Path, name: str) -> None:
    """Connect as a client that trusts an authority and asks for a name.

    Raises:
        ssl.SSLError: The client does not take the server for it.
    """
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(pair)
    asking = ssl.create_default_context(cafile=trusted)
    asking.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    server = shown.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client):
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()
    assert client.version() == "TLSv1.3"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    found = Authority(tmp_path / "authority")
    found.ensure()
    return found


def test_an_authority_is_made_once(authority: Authority) -> None:
    before = authority.certificate.read_bytes()
    authority.ensure()

    assert authority.certificate.read_bytes() == before
    left = ends(before) - datetime.now(UTC)
    assert AUTHORITY_LIFE - timedelta(days=1) < left <= AUTHORITY_LIFE


def test_an_authority_whose_making_was_cut_short_keeps_its_key(authority: Authority) -> None:
    key = authority.certificate.with_name("authority-key.pem")
    before = key.read_bytes()
    authority.certificate.unlink()
    authority.ensure()

    assert key.read_bytes() == before
    assert authority.certificate.exists()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_server_is_taken_for_what_it_is(authority: Authority, tmp_path: Path, name: str) -> None:
    shake(authority.serve(tmp_path).pair, authority.certificate, name)


@pytest.mark.parametrize("name", ["example.com", "localhost.example.com", "10.0.0.1"])
def test_whoever_has_the_authoritys_key_cannot_sign_for_anybody_else(
    authority: Authority, tmp_path: Path, name: str
) -> None:
    key = authority.certificate.with_name("authority-key.pem")
    is_address = name[0].isdigit()
    forged = make_certificate(
        "forged",
        authority=Pair(authority.certificate.read_bytes(), key.read_bytes()),
        life=SERVER_LIFE,
        domains=() if is_address else (name,),
        addresses=(name,) if is_address else (),
    )
    (tmp_path / "forged.pem").write_bytes(forged.key + forged.certificate)

    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(tmp_path / "forged.pem", authority.certificate, name)


def test_another_authority_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(make_authority("other", life=SERVER_LIFE).certificate)

    with pytest.raises(ssl.SSLCertVerificationError):
        shake(authority.serve(tmp_path).pair, other, "localhost")


def test_what_a_server_shows_is_due_long_before_it_ends(
    authority: Authority, tmp_path: Path
) -> None:
    files = authority.serve(tmp_path)
    due = datetime.fromtimestamp(int(files.due.read_text()), UTC)

    left = ends(files.pair.read_bytes()) - due
    assert abs(left - (SERVER_LIFE - RENEWED_AFTER)) <= timedelta(seconds=1)
    assert stat.S_IMODE(files.pair.stat().st_mode) == 0o600


def test_a_certificate_is_made_by_a_command_that_says_what_is_wrong(
    authority: Authority, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = authority.certificate.parent
    assert main(["--folder", str(folder), "--into", str(tmp_path)]) == 0
    shake(tmp_path / "server.pem", authority.certificate, "localhost")
    assert main(["--folder", str(folder), "--into", str(tmp_path / "missing")]) == 1
    assert "no new certificate" in capsys.readouterr().err
