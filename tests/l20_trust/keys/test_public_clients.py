"""Libraries of others call and verify unchanged: the public one of Python in all its forms, and those of Node.js."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from atlassian_jwt_auth import create_signer, create_signer_from_file_private_key_repository
from atlassian_jwt_auth.exceptions import (
    JtiUniquenessException,
    PublicKeyRetrieverException,
)
from atlassian_jwt_auth.key import DataUriPrivateKeyRetriever
from atlassian_jwt_auth.signer import JWTAuthSigner, TokenReusingJWTAuthSigner
from jwt.exceptions import InvalidAudienceError

from drystone.l00_kernel.clock import SystemClock
from drystone.l20_trust.keys import tokens
from drystone.l20_trust.keys.api import Algorithm
from drystone.l20_trust.keys.service import Keys
from drystone.l20_trust.keys.signing import is_signed
from l20_trust.key_rings import CTX, ORDERS, PAYMENTS, token_of
from l20_trust.keys.conftest import Running
from l20_trust.keys.public_clients import library, of_several, of_the_first

pytestmark = pytest.mark.asyncio(loop_scope="module")
ORDERS_IN = {"environment": "dev", "service": "orders"}
NODE = ("jwt-authentication@0.4.0", "jose@6.2.17")


def given_to(running: Running) -> Mapping[str, str]:
    given = running.keys.given("dev", "orders", 1)
    assert given is not None
    return given.environment


async def with_new_key(running: Running, algorithm: Algorithm) -> None:
    """Let orders sign with another algorithm, as the settings would."""
    keys = running.keys
    other = Keys(
        running.parts.store,
        clock=SystemClock(),
        repository=keys._repository,
        algorithm=algorithm,
    )
    await other.rotate(CTX, **ORDERS_IN)
    running.keys = other


def signed_in_every_form(environ: Mapping[str, str], algorithm: str) -> list[str]:
    """Make tokens as instances do that know the library."""
    key_file = Path(environ["DRYSTONE_KEYS"], environ["ASAP_KEY_ID"]).read_text()
    by_uri = DataUriPrivateKeyRetriever(environ["ASAP_PRIVATE_KEY"])
    signers = [
        create_signer_from_file_private_key_repository(
            ORDERS, environ["DRYSTONE_KEYS"], algorithm=algorithm
        ),
        JWTAuthSigner(ORDERS, by_uri, algorithm=algorithm),
        TokenReusingJWTAuthSigner(ORDERS, by_uri, algorithm=algorithm),
        create_signer(ORDERS, environ["ASAP_KEY_ID"], key_file, algorithm=algorithm),
    ]
    return [signer.generate_jwt(PAYMENTS).decode() for signer in signers]


def in_this_process(running: Running, token: str) -> str:
    return tokens.verify(
        token,
        audience=PAYMENTS,
        key_of=running.keys.public_key,
        is_signed=is_signed,
        now=SystemClock().now(),
    ).iss


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_the_public_library_calls_and_verifies_in_all_its_forms(
    running: Running, algorithm: Algorithm
) -> None:
    await with_new_key(running, algorithm)
    environ = given_to(running)
    ours = Path(environ["DRYSTONE_TOKENS"], "payments").read_text()
    made = [ours, (await token_of(running.keys)).token, *signed_in_every_form(environ, algorithm)]

    for look_up in (of_the_first, of_several):
        with library(running, look_up) as verify:
            for token in made:
                assert verify(token)["iss"] == in_this_process(running, token) == ORDERS
            with pytest.raises(InvalidAudienceError):
                verify(ours, "dev/mail")
    with library(running, check_jti_uniqueness=True) as verify:
        assert verify(ours)["sub"] == ORDERS
        with pytest.raises(JtiUniquenessException):
            verify(ours)


async def test_replacing_and_revoking_reach_the_public_library(running: Running) -> None:
    earlier = await token_of(running.keys)
    await running.keys.rotate(CTX, **ORDERS_IN)
    later = await token_of(running.keys)
    with library(running) as verify:
        assert verify(earlier.token)["jti"] != verify(later.token)["jti"]
    await running.keys.revoke(CTX, **ORDERS_IN, key=earlier.key)

    with library(running) as verify:
        assert verify(later.token)["iss"] == ORDERS
        with pytest.raises(PublicKeyRetrieverException, match="404"):
            verify(earlier.token)


CALLS = """
const { client } = require('jwt-authentication');
const [environ, privateKey, algorithm] = JSON.parse(process.argv[2]);
const claims = { iss: environ.ASAP_ISSUER, sub: environ.ASAP_ISSUER, aud: 'dev/payments' };
client.create().generateToken(claims, { privateKey, kid: environ.ASAP_KEY_ID, algorithm },
  (error, token) => { if (error) throw error; console.log(token); });
"""
VERIFIES = """
const { server } = require('jwt-authentication');
const [publicKeyBaseUrl, resourceServerAudience, issuers, given] = JSON.parse(process.argv[2]);
const validator = server.create({ publicKeyBaseUrl, resourceServerAudience });
validator.validate(given, issuers, (error, claims) => console.log(error ? error.message : claims.iss));
"""
VERIFIES_BY_SET = """
const { createRemoteJWKSet, jwtVerify } = require('jose');
const [url, audience, given] = JSON.parse(process.argv[2]);
jwtVerify(given, createRemoteJWKSet(new URL(url)), { audience }).then(
  (found) => console.log(found.payload.iss), (error) => console.log(error.code));
"""


class Node:
    """Node.js with the public libraries, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
        done = subprocess.run(
            [*npm, "--prefix", str(folder), *NODE], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"npm cannot install the libraries here: {done.stderr[-300:]}")

    def __call__(self, running: Running, program: str, *arguments: Any) -> str:
        """Run a program; what it prints."""
        file = self._folder / "program.js"
        file.write_text(program)
        environ = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(running.trusted)}
        done = subprocess.run(
            ["node", str(file), json.dumps(arguments)],
            env=environ,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    yield Node(folder)
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_the_library_for_node_calls_and_verifies(
    running: Running, node: Node, algorithm: Algorithm
) -> None:
    await with_new_key(running, algorithm)
    environ = dict(given_to(running))
    key_file = Path(environ["DRYSTONE_KEYS"], environ["ASAP_KEY_ID"]).read_text()
    private = [key_file, *([environ["ASAP_PRIVATE_KEY"]] if algorithm == "RS256" else [])]
    for one in private:  # it reads RSA keys alone from the variable
        made = node(running, CALLS, environ, one, algorithm)
        assert in_this_process(running, made) == ORDERS
        with library(running) as verify:
            assert verify(made)["iss"] == ORDERS

    first, second = (server.url for server in running.parts.servers)
    ours = await token_of(running.keys)
    issuers: Sequence[str] = [ORDERS]
    for urls in (first, second, f"https://127.0.0.1:9/keys/ | {second}"):
        assert node(running, VERIFIES, urls, PAYMENTS, issuers, ours.token) == ORDERS
    both = f"{first} | {second}"
    assert "audience" in node(running, VERIFIES, both, "dev/mail", issuers, ours.token)
    assert "unauthorized" in node(running, VERIFIES, both, PAYMENTS, ["dev/mail"], ours.token)
    place = f"{first.removesuffix('keys/')}jwks/{PAYMENTS}.json"
    assert node(running, VERIFIES_BY_SET, place, PAYMENTS, ours.token) == ORDERS
    refused = node(running, VERIFIES_BY_SET, place, "dev/mail", ours.token)
    assert refused == "ERR_JWT_CLAIM_VALIDATION_FAILED"

    await running.keys.revoke(CTX, **ORDERS_IN, key=ours.key)
    assert "not retrieve" in node(running, VERIFIES, both, PAYMENTS, issuers, ours.token)
    refused = node(running, VERIFIES_BY_SET, place, PAYMENTS, ours.token)
    assert refused == "ERR_JWKS_NO_MATCHING_KEY"
