"""What a workspace says, and how each dependency is served: pure rules over files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.descriptor import read, resolve
from drystone.l85_surfaces.sandbox import sandbox_file
from drystone.l85_surfaces.sandbox.choices import Choice, Wish, choose, wish_of
from drystone.l85_surfaces.sandbox.documents import event_schema, openapi
from drystone.l85_surfaces.sandbox.emitting import events, schema_of, takers_of
from drystone.l85_surfaces.sandbox.errors import (
    DescribedTwice,
    DocumentUnfit,
    EventUnknown,
    NotASandbox,
    NothingToRun,
    NotServed,
    SandboxFileUnfit,
    WishUnfit,
)
from drystone.l85_surfaces.sandbox.places import Place, home_for
from drystone.l85_surfaces.sandbox.proving import PROOF, descriptor_without
from drystone.l85_surfaces.sandbox.stand_ins import digest, document_of, write_mock
from drystone.l85_surfaces.sandbox.workspace import LOCAL, Member, Need, member, waves, workspace

OPENAPI = 'openapi: 3.1.0\ninfo: {title: t, version: "1"}\npaths: {}\n'


def written(folder: Path, name: str, more: str = "") -> Path:
    file = folder / name / "service.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"schema: 1\nservice: {name}\nowner: t\nprocess: {{command: [x]}}\n{more}\n")
    return file


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace of a shop and a ledger; billing and mail are elsewhere."""
    written(
        tmp_path,
        "shop",
        "dependencies: {billing: hard, ledger: hard, mail: {needs: soft, without: no mail}}\n"
        "environments: {local: {env: {A: b}}}",
    )
    written(tmp_path, "ledger", "resources: {db: {type: postgres}}")
    return tmp_path


def chosen(folder: Path, **wishes: str) -> dict[str, Choice]:
    found = workspace([str(folder)])
    said = dict(wish_of(f"{name}={way}") for name, way in wishes.items())

    def look(name: str, near: Sequence[Member]) -> Path | None:
        return document_of(found.base, name, near)

    return {one.name: one for one in choose(found, said, look)}


def test_descriptors_are_found_in_the_folder_and_below(shop: Path) -> None:
    written(shop / "node_modules", "no")
    written(shop / ".hidden", "no")
    written(shop / "a/b/c/d", "no")

    assert set(workspace([str(shop)]).members) == {"shop", "ledger"}
    assert set(workspace([str(shop / "shop/service.yaml")]).members) == {"shop"}
    assert workspace([str(shop / "shop"), str(shop / "ledger")]).base == shop


def test_nothing_and_too_much_are_told(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToRun, match=r"service\.yaml"):
        workspace([str(tmp_path / "empty")])
    with pytest.raises(NothingToRun):
        workspace([str(tmp_path / "nowhere.yaml")])
    written(shop / "copy", "shop")
    with pytest.raises(DescribedTwice, match="both describe 'shop'"):
        workspace([str(shop)])


def test_what_is_served_by_nothing_is_refused_when_it_is_hard(shop: Path) -> None:
    with pytest.raises(NotServed, match=r"billing is not served.*mocks/billing\.yaml"):
        chosen(shop)


def test_the_rule_is_real_then_mocked_then_absent(shop: Path) -> None:
    (shop / "shop/mocks").mkdir()
    (shop / "shop/mocks/billing.yaml").write_text(OPENAPI)

    ways = {name: one.way for name, one in chosen(shop).items()}

    assert ways == {"billing": "mock", "ledger": "real", "mail": "absent", "shop": "real"}


def test_wishes_come_before_the_rule(shop: Path) -> None:
    (shop / "ledger/openapi.json").write_text("{}")

    found = chosen(shop, billing="proxy:http://127.0.0.1:9", ledger="mock", mail="mock:m.yaml")

    assert (found["billing"].way, found["billing"].to) == ("proxy", "http://127.0.0.1:9")
    assert (found["ledger"].way, Path(found["ledger"].to).name) == ("mock", "openapi.json")
    assert found["mail"].to == str(shop / "m.yaml")


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"billing": "real"}, "cannot be real"),
        ({"billing": "absent"}, r"cannot be absent: shop cannot work without it \(hard\)"),
        ({"billing": "mock"}, "no OpenAPI document"),
        ({"nobody": "absent"}, "nothing here is called 'nobody'"),
        ({"billing": "proxy:ftp://x"}, "no address"),
        ({"billing": "proxy:http://me:secret@x"}, "no address"),
        ({"billing": "proxy:http://x:99999"}, "no address"),
        ({"billing": "proxy:http://x/path"}, "no address"),
        ({"billing": "perhaps"}, "can be real, mock"),
        ({"billing": "real:x"}, "can be real, mock"),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_says_why(
    shop: Path, wish: dict[str, str], why: str
) -> None:
    with pytest.raises((WishUnfit, NotServed), match=why):
        chosen(shop, **wish)


def test_a_service_that_is_mocked_needs_nothing(shop: Path) -> None:
    found = chosen(shop, shop="mock:shop.yaml")

    assert set(found) == {"shop", "ledger"}


def test_a_sandbox_file_says_how_everybody_works_here(shop: Path) -> None:
    (shop / "sandbox.yaml").write_text(
        "dependencies:\n  billing: {mock: b.yaml, delay: 50ms, errors: 5%}\n  mail: absent\n"
        '  search: {proxy: "http://127.0.0.1:9000"}\n  ledger: real\n'
    )

    assert sandbox_file.wishes(shop) == {
        "billing": Wish("mock", "b.yaml", 0.05, 0.05),
        "mail": Wish("absent"),
        "search": Wish("proxy", "http://127.0.0.1:9000"),
        "ledger": Wish("real"),
    }
    assert sandbox_file.wishes(shop / "shop") == {}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("depends: {}", "unknown key 'depends'"),
        ("dependencies: [a]", "must be a mapping"),
        ("dependencies: {a: maybe}", "say real, absent, mock"),
        ("dependencies: {a: {mock: x, speed: 1}}", "unknown key 'speed'"),
        ("dependencies: {a: {mock: x, delay: soon}}", "no duration"),
        ("dependencies: {a: {mock: x, errors: 900%}}", "no share"),
        ("dependencies: {a: {proxy: x}}", "no address"),
        ('dependencies: {a: {proxy: "http://x", delay: 1s}}', "nothing else"),
        ("dependencies: {a: 1, a: 2}", "a"),
        ("a: &a [*a]", "a"),
    ],
)
def test_a_sandbox_file_with_mistakes_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "sandbox.yaml").write_text(text)

    with pytest.raises(SandboxFileUnfit, match=why):
        sandbox_file.wishes(tmp_path)


NAMES = st.sampled_from("abcdefgh")


@given(st.dictionaries(NAMES, st.sets(NAMES)))
def test_services_come_up_after_what_they_need_unless_that_is_a_circle(
    needs: dict[str, set[str]],
) -> None:
    members = {
        name: Member(
            name,
            Path("x"),
            "",
            tuple(Need(one, is_hard=True, without="", environment=LOCAL) for one in sorted(of)),
        )
        for name, of in needs.items()
    }
    order = waves(members)

    assert sorted(name for wave in order for name in wave) == sorted(members)
    for number, wave in enumerate(order[:-1]):
        before = {name for earlier in order[:number] for name in earlier}
        for name in wave:
            assert (needs[name] & members.keys()) - {name} <= before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("swagger: '2.0'\npaths: {}", "swagger: 2.0"),
        ("openapi: 4.0.0", "it says openapi: 4.0.0"),
        ("paths: {}", "no key openapi"),
        ("openapi: 3.1.0\npaths: []", "paths must be a mapping"),
        ("[]", "holds no mapping"),
        ("", "holds no mapping"),
        ("openapi: [", "cannot be read"),
        ("openapi: 3.1.0\nx: {$ref: 'http://127.0.0.1:9/x.yaml'}", "never fetched"),
        ("openapi: 3.1.0\nx: {$ref: 'file:///etc/passwd'}", "never fetched"),
        ("openapi: 3.1.0\nx: {$ref: '../secret.yaml#/x'}", "never fetched"),
        ("openapi: 3.1.0\nx: {$ref: '#/nowhere'}", "leads nowhere"),
        ("openapi: 3.1.0\nx: &x [*x]", "cannot be read"),
        (
            "openapi: 3.1.0\na: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n"
                for n in range(6)
            ),
            "cannot be read",
        ),
        ("openapi: 3.1.0\nx: " + "[" * 5_000, "cannot be read"),
    ],
)
def test_a_hostile_document_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(text)

    with pytest.raises(DocumentUnfit, match=why):
        openapi(file)


def test_a_document_that_is_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_bytes(b"#" * (9 << 20))

    with pytest.raises(DocumentUnfit, match="cannot be read"):
        openapi(file)


def test_a_document_of_version_3_0_is_read_as_its_schemas_mean(tmp_path: Path) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(
        "openapi: 3.0.3\npaths: {}\ncomponents:\n  schemas:\n"
        "    a: {type: integer, nullable: true, minimum: 3, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: false}\n"
        "    b: {type: string, nullable: true, enum: [x]}\n"
        "    nullable: {type: string, example: {nullable: true, $ref: nothing}}\n"
        "    c: {$ref: '#/components/schemas/a', description: dropped}\n"
        "    d: {properties: {minimum: {type: integer}, $ref: {type: string}}}\n"
    )

    schemas = openapi(file)["components"]["schemas"]

    assert schemas["a"] == {"type": ["integer", "null"], "exclusiveMinimum": 3, "maximum": 9}
    assert schemas["b"]["enum"] == ["x", None]
    assert schemas["nullable"]["example"] == {"nullable": True, "$ref": "nothing"}
    assert schemas["c"] == {"$ref": "#/components/schemas/a"}
    assert set(schemas["d"]["properties"]) == {"minimum", "$ref"}


def test_a_mock_is_a_folder_with_a_descriptor_of_its_own(tmp_path: Path) -> None:
    document = tmp_path / "b.yaml"
    document.write_text(OPENAPI)
    choice = Choice("billing", "mock", str(document), delay=0.5, errors=0.25)

    file = write_mock(tmp_path / "billing", choice)

    reading = read(file.read_text(), file=str(file))
    assert reading.descriptor is not None, reading.report()
    assert reading.descriptor.service == "billing"
    assert json.loads((file.parent / "settings.json").read_text()) == {"delay": 0.5, "errors": 0.25}
    first = digest(file.parent)
    write_mock(tmp_path / "billing", choice)
    assert digest(file.parent) == first
    document.write_text(OPENAPI.replace("t,", "other,"))
    write_mock(tmp_path / "billing", choice)
    assert digest(file.parent) != first


def test_a_proof_finds_everything_but_one_dependency(shop: Path) -> None:
    one = member(shop / "shop/service.yaml")

    for absent, there in ((None, "local"), ("mail", None)):
        reading = read(descriptor_without(one, absent))
        assert reading.descriptor is not None, reading.report()
        needs = resolve(reading, PROOF).descriptor.dependencies
        assert needs["billing"].environment == "local"
        assert needs["mail"].environment == there
        assert reading.descriptor.env == {"A": "b"}


def test_events_satisfy_their_schema_and_go_to_those_who_want_them(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string", "format": "uuid"}},
    }
    written(tmp_path, "shop", "events: {publishes: {order.created: order.json}}")
    (tmp_path / "shop/order.json").write_text(json.dumps(schema))
    written(tmp_path, "mail", "events: {subscribes: {a: {type: order.created, to: POST /events}}}")
    written(
        tmp_path,
        "bills",
        "resources: {in: {type: queue}}\nevents: {subscribes: {a: {type: order.paid, to: in}}}",
    )
    found = workspace([str(tmp_path)])

    made = events(schema_of(found, "order.created"), "order.created", count=3)

    assert len({one["id"] for one in made}) == len({one["data"]["id"] for one in made}) == 3
    assert made == events(tmp_path / "shop/order.json", "order.created", count=3)
    assert [(one.service, one.path) for one in takers_of(found, "order.created")] == [
        ("mail", "/events")
    ]
    [bills] = takers_of(found, "order.paid")
    assert (bills.service, bills.way) == ("bills", "queue in")
    with pytest.raises(EventUnknown, match=r"no service here takes order\.lost"):
        takers_of(found, "order.lost")
    with pytest.raises(EventUnknown, match=r"mocks/order\.paid\.json"):
        schema_of(found, "order.paid")
    (tmp_path / "shop/order.json").write_text('{"$ref": "http://127.0.0.1:9/"}')
    with pytest.raises(DocumentUnfit, match="never fetched"):
        event_schema(tmp_path / "shop/order.json")
    (tmp_path / "shop/order.json").write_text("false")
    with pytest.raises(DocumentUnfit):
        event_schema(tmp_path / "shop/order.json")


def test_the_home_of_a_platform_never_becomes_that_of_a_sandbox(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "run").mkdir(parents=True)
    (home / "run/agent.lock").touch()
    (home / "home.json").write_text('{"format": 2}')

    with pytest.raises(NotASandbox, match="not of a sandbox"):
        Place(home).claim(tmp_path)
    assert not (home / "sandbox").exists()


def test_a_home_belongs_to_one_workspace(tmp_path: Path) -> None:
    place = Place(tmp_path / "home")
    place.claim(tmp_path / "a")
    place.claim(tmp_path / "a")

    assert place.require().name == "a"
    assert (place.folder / "key").stat().st_mode & 0o077 == 0
    with pytest.raises(NotASandbox, match="the sandbox of"):
        place.claim(tmp_path / "b")


def test_workspaces_of_the_same_name_have_homes_of_their_own(tmp_path: Path) -> None:
    homes = {home_for(tmp_path / part / "shop", {}, is_root=False) for part in "ab"}

    assert len(homes) == 2
    assert all(home.name.startswith("shop-") for home in homes)
    assert home_for(tmp_path, {"XDG_DATA_HOME": "/d"}, is_root=False).parent == Path(
        "/d/drystone/sandboxes"
    )
