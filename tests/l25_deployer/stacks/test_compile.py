"""From descriptor to stacks, and back to the line that caused each field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from conftest import Golden
from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.l25_deployer.stacks.leaves import flatten, unflatten
from drystone.l25_deployer.stacks.model import (
    Cache,
    ImageArtifact,
    ProcessArtifact,
    Reference,
    Stacks,
    StaticArtifact,
    decode,
    encode,
)
from drystone.l25_deployer.stacks.origins import trace
from drystone.l25_deployer.stacks.smoke import Smoke
from l25_deployer.stacks.samples import HEAD, MINIMAL, ROOT, STACKS, merged, stacks

GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "orders-prod": (ROOT / "examples/descriptors/orders.yaml", "prod"),
    "process": (GOLDEN / "process.yaml", "dev"),
    "static": (GOLDEN / "static.yaml", "dev"),
    "image": (GOLDEN / "image.yaml", "dev"),
}


@pytest.mark.parametrize("name", CASES)
def test_descriptors_compile_to_these_stacks(name: str, golden: Golden) -> None:
    path, environment = CASES[name]
    golden(
        GOLDEN / f"{name}.json",
        encode(stacks(path.read_text(), version="7", environment=environment)).decode(),
    )


def test_every_field_of_the_big_example_is_traced_to_its_line(golden: Golden) -> None:
    text = (ROOT / "examples/descriptors/orders.yaml").read_text()
    found = merged(text, "prod")
    compiled = compile_stacks(found, version="7")
    origins = trace(compiled, found)
    lines = text.splitlines()
    table = [
        f"{'.'.join(path)}: {f'{origins[path].path}: {lines[origins[path].line - 1].strip()}' if path in origins else '-'}"
        for path in flatten(compiled)
    ]
    golden(GOLDEN / "orders-prod.origins.txt", "\n".join(table) + "\n")


@given(STACKS)
def test_stacks_survive_being_written_and_read(made: Stacks) -> None:
    assert decode(encode(made)) == made
    assert encode(decode(encode(made))) == encode(made)


@given(STACKS)
def test_stacks_are_the_sum_of_their_leaves(made: Stacks) -> None:
    assert unflatten(flatten(made)) == made


def test_the_order_in_which_things_are_written_does_not_matter() -> None:
    one = (
        MINIMAL
        + "env: {A: 1, B: 2}\nsecrets: [X, Y]\nresources: {a: {type: volume}, b: {type: bucket}}\n"
    )
    other = (
        MINIMAL
        + "resources: {b: {type: bucket}, a: {type: volume}}\nsecrets: [Y, X]\nenv: {B: 2, A: 1}\n"
    )
    assert encode(stacks(one)) == encode(stacks(other))


def test_what_is_known_is_put_in_and_the_rest_stays_a_reference() -> None:
    found = stacks(
        MINIMAL
        + "resources: {db: {type: postgres}}\n"
        + "env: {A: 'v${version}-${environment}.${region}/${service}$${x}', B: 'pg ${resources.db.host}:${resources.db.port}!'}\n",
        version="1.2-rc",
    )
    env = found.resources.env
    assert env["A"] == ("v1.2-rc-dev.local/orders${x}",)
    assert env["B"] == (
        "pg ",
        Reference("resources", "db", "host"),
        ":",
        Reference("resources", "db", "port"),
        "!",
    )


def test_resources_give_variables_and_what_is_written_wins() -> None:
    found = stacks(
        MINIMAL
        + "resources: {main-db: {type: postgres}, files: {type: bucket}}\nenv: {MAIN_DB_URL: mine}\n"
    )
    env = found.resources.env
    assert env["MAIN_DB_URL"] == ("mine",)
    assert env["MAIN_DB_USER"] == (Reference("resources", "main-db", "user"),)
    assert env["FILES_SECRET_KEY"] == (Reference("resources", "files", "secret_key"),)
    assert env["DRYSTONE_VERSION"] == ("1",)


def test_only_what_serves_knows_a_port() -> None:
    found = stacks(MINIMAL + "env: {BIND: '0.0.0.0:${port}'}\nworkers: {w: {command: [x]}}\n")
    assert "BIND" not in found.resources.env
    assert found.deployment.groups["web"].env == {
        "BIND": ("0.0.0.0:", Reference("port")),
        "PORT": (Reference("port"),),
    }
    assert found.deployment.groups["w"].env == {}
    assert not found.deployment.groups["w"].serves


def test_variables_that_nothing_can_fill_in_yet_are_left_out() -> None:
    found = stacks(
        MINIMAL
        + "secrets: [KEY]\nresources: {q: {type: workflow}}\n"
        + "env: {A: '${secrets.KEY}', B: '${resources.q.url}', C: '${build}', D: ok}\n"
    )
    written = {name for name in found.resources.env if not name.startswith("DRYSTONE_")}
    assert written == {"D"}


def test_a_process_an_image_and_files_become_their_artifacts() -> None:
    process = stacks(
        HEAD
        + "process: {command: [run, '${port}'], dir: app, runtime: python, setup: [pip, install, x]}\n"
    )
    assert process.resources.artifact == ProcessArtifact("app", "python", ("pip", "install", "x"))
    assert process.deployment.groups["web"].command == (("run",), (Reference("port"),))
    assert process.deployment.groups["web"].port is None
    image = stacks(HEAD + "image: example.com/orders:${version}\nport: 9000\n", version="3")
    assert image.resources.artifact == ImageArtifact("example.com/orders:3")
    assert (image.deployment.groups["web"].command, image.deployment.groups["web"].port) == (
        (),
        9000,
    )
    static = stacks(HEAD + "static: {dir: dist, spa: true}\n")
    assert isinstance(static.resources.artifact, StaticArtifact)
    assert static.deployment.groups == {}


def test_a_cache_of_another_engine_is_not_provisioned() -> None:
    found = stacks(MINIMAL + "resources: {a: {type: cache}, b: {type: cache, engine: memcached}}\n")
    assert found.eternal.resources == {"a": Cache(memory=256 * 1024**2, eviction="allkeys-lru")}


def test_smoke_tests_are_requests() -> None:
    found = stacks(MINIMAL + "deploy: {smoke: [GET /version, 'POST /try?x=1']}\n")
    assert found.route.smoke == (Smoke("GET", "/version"), Smoke("POST", "/try?x=1"))


@pytest.mark.parametrize("version", ["", ".1", "-x", "a/b", "a b", "1\n", "$(x)", "ä", "x" * 65])
def test_a_version_that_could_not_be_a_tag_or_a_file_name_is_refused(version: str) -> None:
    with pytest.raises(Invalid, match="cannot be a version"):
        stacks(MINIMAL, version=version)
