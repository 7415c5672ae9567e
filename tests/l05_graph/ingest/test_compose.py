from __future__ import annotations

import pytest

from drystone.l05_graph.ingest.source import Unreadable
from l05_graph.ingest.reading import needs, read, skips


def of(service: str, more: str = "") -> list[str]:
    return needs(
        read("compose", f"services:\n  a: {{{service}}}\n  db: {{hostname: base}}\n{more}")
    )


@pytest.mark.parametrize(
    ("service", "needed"),
    [
        ("depends_on: [db]", "a → db (unknown, at start, other)"),
        ("depends_on: {db: {condition: service_started}}", "a → db (unknown, at start, other)"),
        ("depends_on: {db: {condition: service_healthy}}", "a → db (hard, at start, other)"),
        ("depends_on: {db: {required: false}}", "a → db (soft, at start, other)"),
        ("links: [db:database]", "a → db (unknown, at run, other)"),
        ("environment: {URL: 'tcp://base:80'}", "a → db (unknown, at run, other)"),
        ("environment: [DB_HOST=base]", "a → db (unknown, at run, other)"),
        ("environment: {URL: 'x://${U}:${P}@${H:-db}/'}", "a → db (unknown, at run, other)"),
        ("command: ['--db-host=db']", "a → db (unknown, at run, other)"),
        ("entrypoint: wait http://db/", "a → db (unknown, at run, other)"),
        ("pid: service:db", "a → db (hard, at start, run, other)"),
        ("network_mode: service:db", "a → db (hard, at start, run, network)"),
        ("volumes_from: ['db:ro']", "a → db (hard, at start, data)"),
        ("volumes: ['v:/v', './x:/x', '/y', '~/z:/z']", "a → volume/v (hard, at start, run, data)"),
        ("image: 'db:16'", None),
        ("image: 'localhost:5000/x'", "a → localhost (unknown, at deploy, artifacts)"),
        ("environment: {NAME: db, A_URL: 'http://a/'}", None),
        ("environment: [DB_HOST]", None),
        ("environment: {DB_HOST: }", None),
    ],
)
def test_what_a_service_names_is_needed(service: str, needed: str | None) -> None:
    assert of(service) == ([needed] if needed else [])


def test_several_files_are_one_application() -> None:
    one = "services: {a: {depends_on: [b]}, b: }"
    found = read("compose", one, "services: {a: {environment: {B_URL: 'http://b/'}}}")
    assert needs(found) == ["a → b (unknown, at start, other)", "a → b (unknown, at run, other)"]


def test_a_service_needs_what_the_one_that_it_extends_needs_unless_it_says_otherwise() -> None:
    base = (
        "services:\n  base:\n    depends_on: {db: {condition: service_healthy}}\n    command: wait http://mail/\n"
        "    environment: [CACHE_URL=http://cache/, LOG_URL=http://log/]\n    extends: top\n"
        "  top: {links: [users]}\n  db:\n  mail:\n  cache:\n  log:\n  users:\n"
    )
    own = (
        "services:\n  a:\n    extends: {service: base, file: base.yaml}\n    command: serve\n"
        "    environment: {LOG_URL: 'http://elsewhere.example/'}\n"
    )
    found = read("compose", own_yaml=own, base__yaml=base)
    assert [one for one in needs(found) if one.startswith("a ")] == [
        "a → db (hard, at start, other)",
        "a → cache (unknown, at run, other)",
        "a → users (unknown, at run, other)",
    ]
    round_ = "services: {a: {extends: b, links: [c]}, b: {extends: a}, c: }"
    assert "a → c (unknown, at run, other)" in needs(read("compose", round_))
    assert "'extends' leads to 'a', which is in no file given" in skips(read("compose", round_))[0]


def test_what_leads_to_other_files_is_told() -> None:
    text = "include: [x.yaml]\nservices:\n  a:\n    extends: {service: b}\n    env_file: e\n"
    assert sorted(skips(read("compose", text))) == [
        "1 times: 'env_file' is not followed (1:5)",
        "1 times: 'extends' leads to 'b', which is in no file given (1:4)",
        "1 times: 'include' is not followed; name those files too (1:1)",
    ]


def test_tags_and_doubled_keys_are_told_and_the_rest_is_read() -> None:
    found = read("compose", "services:\n  a: {ports: !reset [], image: x, image: y}\n  b:\n")
    assert [one.name for one in found.model.components] == ["a", "b"]
    assert [skip.places for skip in found.skips] == [("1:2",), ("1:2",)]


def test_what_a_secret_is_called_like_is_not_told() -> None:
    service = "environment: {X_PASSWORD: db, DATABASE_NAME: db, MYSQL_DATABASE: db, A_TOKEN: db}"
    found = read("compose", f"services:\n  a: {{{service}}}\n  db:\n")
    assert not found.model.dependencies
    assert [note.split(": ")[2].split()[3] for note in found.notes] == [
        "DATABASE_NAME",
        "MYSQL_DATABASE",
    ]


def test_what_is_no_name_is_told() -> None:
    found = read("compose", "services: {a: {depends_on: [{b: c}, ~], links: {d: e}}}")
    assert skips(found) == ["3 times: a name is empty (1:1, 1:1, 1:1)"]


def test_a_circle_of_starts_is_read_as_it_is() -> None:
    assert len(of("depends_on: [db]", "  c: {depends_on: [c, a]}\n")) == 2


def test_a_file_without_services_is_refused() -> None:
    with pytest.raises(Unreadable, match="no services of Compose: 1 times: no services"):
        read("compose", "volumes: {a: }")
