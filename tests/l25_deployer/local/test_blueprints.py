"""What the runtimes start is what the record says: no value becomes another word, mount or path."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from drystone.l10_engines.runtimes.port import Mount
from drystone.l25_deployer.local.blueprints import (
    Surroundings,
    blueprints,
    instance_id,
    lay_out,
    one_off,
)
from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
from drystone.l25_deployer.stacks.model import (
    Deployment,
    Eternal,
    Group,
    Postgres,
    Reference,
    ReleaseResources,
    StaticArtifact,
    Template,
    Volume,
)
from l25_deployer.local.small_instances import HEALTH, STOP, release

DASHED = st.text("ab-", min_size=1, max_size=4).filter(lambda n: n[0] != "-" != n[-1])
NAME = DASHED | st.from_regex(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)
NUMBER = st.integers(1, 10**6)
PASSWORD = "hunter2; --root=/etc $(id)\n-x"
URL = ("resources", "db", "url")
RECORD = ServiceRecord("greeter", "dev")


def group(*words: Template, serves: bool = True, **env: Template) -> Group:
    return Group(
        command=words,
        instances=2,
        cpu=0.5,
        memory=64 * 1024**2,
        stop=STOP,
        serves=serves,
        env=env,
        health=HEALTH if serves else None,
    )


def made_of(groups: dict[str, Group], **env: Template) -> ReleaseRecord:
    """Return a release of these groups, built and laid out."""
    bare = release()
    stacks = msgspec.structs.replace(
        bare.stacks,
        eternal=Eternal({"db": Postgres("18", 10), "notes": Volume()}),
        resources=ReleaseResources("1", bare.stacks.resources.artifact, env),
        deployment=Deployment(groups),
    )
    made = msgspec.structs.replace(
        bare, stacks=stacks, source="/h/artifacts/a/source", runtime="/h/artifacts/b/runtime"
    )
    ports = iter(range(20000, 30000))
    return msgspec.structs.replace(made, instances=lay_out(RECORD, made, lambda: next(ports)))


def around(**values: str) -> Surroundings:
    return Surroundings(
        {URL: PASSWORD, **{("config", "ns", k): v for k, v in values.items()}},
        Path("/h/instances"),
        {"notes": Path("/h/volumes/dev/greeter/notes")},
        "label",
    )


@given(NAME, NAME, NUMBER, NAME, NAME)
def test_every_id_is_legal(service: str, environment: str, n: int, group: str, what: str) -> None:
    assert re.fullmatch(
        r"[a-z0-9-]{1,63}", instance_id(ServiceRecord(service, environment), n, group, what)
    )


WHO = st.tuples(NAME, NAME, NUMBER, NAME, st.integers(0, 50))


@given(st.lists(WHO, min_size=2, max_size=6, unique=True))
def test_no_two_instances_of_a_home_share_an_id(
    every: list[tuple[str, str, int, str, int]],
) -> None:
    ids = {instance_id(ServiceRecord(s, e), n, g, str(i)) for s, e, n, g, i in every}

    assert len(ids) == len(every)


def test_names_that_differ_in_where_a_dash_stands_have_different_ids() -> None:
    ids = {
        instance_id(ServiceRecord("a-b", "c"), 1, "web", "0"),
        instance_id(ServiceRecord("a", "b-c"), 1, "web", "0"),
        instance_id(ServiceRecord("a", "dev"), 1, "r2-web", "0"),
        instance_id(ServiceRecord("a-dev", "r1"), 2, "web", "0"),
    }

    assert len(ids) == 4
    assert "a-b-c-r1-web-0" in ids, "the usual names stay readable"


def test_a_layout_gives_ports_only_to_those_that_serve() -> None:
    made = made_of({"web": group(), "digest": group(serves=False)})

    assert [(one.group, one.port) for one in made.instances] == [
        *(("web", 20000), ("web", 20001), ("digest", None), ("digest", None))
    ]
    assert len({one.id for one in made.instances}) == 4


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_value_stays_in_its_word(text: str, value: str) -> None:
    command: tuple[Template, ...] = (("serve",), (text, Reference("config", "ns", "a")), ("--end",))
    made = made_of({"web": group(*command)})

    for one in blueprints(RECORD, made, around(a=value)):
        assert one.spec.command == ("serve", text + value, "--end")


def test_credentials_are_in_the_environment_of_the_instance_and_nowhere_else() -> None:
    made = made_of({"web": group(("serve",))}, DB_URL=(Reference("resources", "db", "url"),))

    for one in blueprints(RECORD, made, around()):
        assert one.spec.environment["DB_URL"] == PASSWORD
        without = msgspec.structs.replace(one.spec, environment={})
        assert "hunter2" not in repr(without)


def test_the_environment_of_a_group_wins_over_that_of_the_release_and_both_over_the_platforms() -> (
    None
):
    made = made_of(
        {"web": group(("serve",), B=("group",), PATH=("/own",))},
        A=("release",),
        B=("release",),
        LANG=("de_DE",),
    )

    (env, _) = [one.spec.environment for one in blueprints(RECORD, made, around())]

    assert (env["A"], env["B"], env["LANG"], env["PATH"]) == ("release", "group", "de_DE", "/own")
    assert env["PORT"] == "20000"
    assert env["VIRTUAL_ENV"] == "/h/artifacts/b/runtime"
    assert env["DRYSTONE_RELEASE"] == "1"


def test_an_instance_sees_its_code_read_only_and_its_volumes() -> None:
    (one, _) = blueprints(RECORD, made_of({"web": group(("serve",))}), around())

    assert one.spec.mounts == (
        Mount(Path("/h/artifacts/a/source"), "/h/artifacts/a/source", read_only=True),
        Mount(Path("/h/artifacts/b/runtime"), "/h/artifacts/b/runtime", read_only=True),
        Mount(Path("/h/volumes/dev/greeter/notes"), "/h/volumes/dev/greeter/notes"),
    )
    assert one.spec.state == Path("/h/instances") / one.spec.id


@given(st.lists(st.text(max_size=10), min_size=1, max_size=4))
def test_a_one_off_command_runs_as_it_was_typed(words: list[str]) -> None:
    made = made_of({"web": group(("serve",), (Reference("port"),), PORT=(Reference("port"),))})

    spec = one_off(RECORD, made, around(), tuple((word,) for word in words), "abc")

    assert spec.command == tuple(words)
    assert "PORT" not in spec.environment
    assert spec.id == "greeter-dev-r1-once-abc"
    assert spec.id not in {one.id for one in made.instances}


def test_static_files_are_served_with_what_the_descriptor_says_each_in_one_word() -> None:
    site = StaticArtifact(
        "site",
        "--root=/etc",
        spa=True,
        keep_assets=1,
        cache={"*.js": timedelta(hours=1)},
        headers={"X-A": "1\r\nX-B: 2"},
        csp="default-src 'self'; --port 1",
    )
    bare = made_of({})
    resources = ReleaseResources("1", site)
    made = msgspec.structs.replace(
        bare, stacks=msgspec.structs.replace(bare.stacks, resources=resources), runtime=None
    )
    ports = iter([20000])
    made = msgspec.structs.replace(made, instances=lay_out(RECORD, made, lambda: next(ports)))
    older = msgspec.structs.replace(around(), older=(Path("/h/artifacts/old/source"),))

    (one,) = blueprints(RECORD, made, older)

    assert one.spec.command[1:] == (
        *("-m", "drystone.l10_engines.static_files"),
        *("--root", "/h/artifacts/a/source", "--port", "20000", "--index", "--root=/etc"),
        *("--spa", "--csp", "default-src 'self'; --port 1"),
        *("--cache", "*.js=3600", "--header", "X-A:1\r\nX-B: 2"),
        *("--older", "/h/artifacts/old/source"),
    )
    assert Mount(Path("/h/artifacts/old/source"), "/h/artifacts/old/source", read_only=True) in (
        one.spec.mounts
    )
    assert one_off(RECORD, made, older, (("ls",),), "abc").command == ("ls",)
