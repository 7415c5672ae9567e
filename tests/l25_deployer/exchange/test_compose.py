"""From Compose files to descriptors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.descriptor import Descriptor, read
from drystone.l25_deployer.exchange import compose
from drystone.l25_deployer.exchange.compose_keys import SERVICE
from drystone.l25_deployer.exchange.drafting import Imported
from drystone.l25_deployer.exchange.errors import ImportRefused

SHOP = """\
services:
  web:
    image: registry.example.com/shop/web:2
    command: [serve, --port, "8000"]
    ports: ["80:8000"]
    environment:
      DATABASE_URL: postgres://app:hunter2@db:5432/shop
      CACHE: redis://cache:6379/0
      ORDERS_URL: http://orders:9000/v1
      STRIPE_KEY: ${STRIPE_KEY:-}
      SMTP_PASSWORD: hunter3
      LEVEL: ${LEVEL:-info}
    depends_on:
      db: {condition: service_healthy}
      cache: {condition: service_started}
      orders: {condition: service_started, required: false}
    deploy: {replicas: 3, resources: {limits: {cpus: "0.5", memory: 300M}}}
    healthcheck: {test: [CMD, curl, -f, "http://localhost:8000/up"], interval: 10s, retries: 4, start_period: 1m30s}
    stop_grace_period: 20s
    networks: [front]
  orders:
    image: orders:1
    expose: [9000]
    volumes: ["spool:/var/spool", "./conf:/etc/orders"]
  db:
    image: postgres:18
    environment: [POSTGRES_USER=app, POSTGRES_PASSWORD=hunter2, POSTGRES_DB=shop]
    volumes: ["data:/var/lib/postgresql/data"]
  cache: {image: "redis:7-alpine"}
volumes: {data: {}, spool: {}}
networks: {front: {}}
"""


def taken(text: str, **files: str) -> Imported:
    return compose.read(
        text.encode(),
        file="compose.yaml",
        owner="shop",
        files=lambda path: files[path].encode() if path in files else None,
    )


def descriptors(found: Imported) -> dict[str, Descriptor]:
    made = {}
    for one in found.drafts:
        reading = read(one.text)
        assert reading.descriptor is not None, reading.report()
        made[one.service] = reading.descriptor
    return made


def said(found: Imported, line: int) -> list[tuple[str, str]]:
    return [(one.kind, one.path) for one in found.remarks if one.line == line]


def test_services_become_descriptors_and_stores_their_resources() -> None:
    made = descriptors(taken(SHOP))

    web, orders = made["web"], made["orders"]
    assert list(made) == ["web", "orders"]
    assert (web.image, web.port, web.scale.min) == ("registry.example.com/shop/web:2", 8000, 3)
    assert web.command == ("serve", "--port", "8000")
    assert web.env == {
        "DATABASE_URL": "${resources.db.url}",
        "CACHE": "${resources.cache.url}",
        "ORDERS_URL": "${dependencies.orders.url}/v1",
        "STRIPE_KEY": "",
        "SMTP_PASSWORD": "${secrets.SMTP_PASSWORD}",
        "LEVEL": "info",
    }
    assert web.secrets == ("SMTP_PASSWORD",)
    assert {name: one.type_name for name, one in web.resources.items()} == {
        "db": "postgres",
        "cache": "cache",
    }
    assert web.dependencies["orders"].needs == "soft"
    assert (web.size.cpu, web.size.memory) == (0.5, 300 * 1024**2)
    assert (web.health.path, web.health.unhealthy) == ("/up", 4)
    assert (web.health.grace.total_seconds(), web.stop.grace.total_seconds()) == (90, 20)
    assert web.network.ingress.public
    assert not orders.network.ingress.public
    assert {name: one.type_name for name, one in orders.resources.items()} == {"spool": "volume"}
    assert web.owner.team == "shop"


def test_what_has_no_counterpart_is_told_with_its_line() -> None:
    found = taken(SHOP)

    assert ("lost", "services.web.networks") in said(found, 20)
    assert ("lost", "services.orders.volumes") in said(found, 24)
    assert ("todo", "services.orders.volumes") in said(found, 24)
    assert ("lost", "networks") in said(found, 31)
    assert ("guess", "services.web.depends_on") in said(found, 16)
    assert all(one.why and one.do for one in found.remarks)


def test_no_secret_is_in_what_comes_out() -> None:
    found = taken(SHOP)
    everything = "".join(one.text for one in found.drafts) + repr(found.remarks)
    assert "hunter" not in everything


def test_values_that_name_a_store_are_told_apart() -> None:
    made = descriptors(
        taken(
            """\
services:
  app:
    image: app
    environment:
      - PGHOST=db
      - PGPORT=5432
      - DB_ADDR=db:5432
      - DB_USER=me
      - PGUSER=me
      - PGPASSWORD=pw
      - DB_NAME=things
      - DB_PASSWORD=pw
      - ASYNC=postgresql+asyncpg://me:pw@db/things?ssl=off
      - MINIO=http://files:9000
      - AWS_ACCESS_KEY_ID=root
      - AWS_SECRET_ACCESS_KEY=rootroot
      - NAME=db
      - OTHER=https://db.example.com/db
  db: {image: postgres, environment: {POSTGRES_USER: me, POSTGRES_PASSWORD: pw, POSTGRES_DB: things}}
  files: {image: minio/minio, environment: {MINIO_ROOT_USER: root, MINIO_ROOT_PASSWORD: rootroot}}
"""
        )
    )
    assert made["app"].env == {
        "PGHOST": "${resources.db.host}",
        "PGPORT": "${resources.db.port}",
        "PGUSER": "${resources.db.user}",
        "PGPASSWORD": "${resources.db.password}",
        "DB_ADDR": "${resources.db.host}:${resources.db.port}",
        "ASYNC": "postgresql+asyncpg://${resources.db.user}:${resources.db.password}"
        "@${resources.db.host}:${resources.db.port}/${resources.db.name}?ssl=off",
        "MINIO": "${resources.files.endpoint}",
        "AWS_ACCESS_KEY_ID": "${resources.files.access_key}",
        "AWS_SECRET_ACCESS_KEY": "${resources.files.secret_key}",
        "NAME": "db",
        "OTHER": "https://db.example.com/db",
    }


def test_a_dockerfile_that_says_little_becomes_a_process() -> None:
    dockerfile = (
        "FROM python:3.12-slim AS run\nWORKDIR /app\nCOPY requirements.txt .\n"
        "RUN --mount=type=cache,target=/c pip install --no-cache-dir \\\n    -r requirements.txt\n"
        'COPY . .\nENV MODE=fast\nUSER app\nCMD ["gunicorn", "-b", "0.0.0.0:8000", "app:app"]\n'
        "FROM run AS tools\nRUN <<EOF\napt-get update\nEOF\n"
    )
    text = "services:\n  api:\n    build: {context: ./api, target: run}\n    ports: ['8000:8000']\n"
    found = taken(text, **{"api/Dockerfile": dockerfile})

    process = descriptors(found)["api"].process
    assert process is not None
    assert process.command == ("gunicorn", "-b", "0.0.0.0:${port}", "app:app")
    assert (process.runtime, process.dir) == ("python", "api")
    assert process.setup == ("uv", "pip", "install", "-r", "requirements.txt")
    assert descriptors(found)["api"].env == {"MODE": "fast"}
    assert any("USER app" in one.why for one in found.remarks)


def test_files_for_nginx_become_a_static_site() -> None:
    dockerfile = "FROM nginx:alpine\nCOPY dist /usr/share/nginx/html\n"
    found = taken("services: {ui: {build: ./ui}}\n", **{"ui/Dockerfile": dockerfile})
    static = descriptors(found)["ui"].static
    assert static is not None
    assert static.dir == "ui/dist"


def test_a_dockerfile_that_does_more_is_left_to_who_builds_images() -> None:
    found = taken(
        "services: {api: {build: ./api}}\n", **{"api/Dockerfile": "FROM golang\nRUN go build\n"}
    )
    assert descriptors(found)["api"].image == "localhost/api:${version}"
    assert any("podman build -t localhost/api:VERSION api" in one.do for one in found.remarks)


def test_files_of_variables_are_read_and_references_in_values_stay_texts() -> None:
    text = "services:\n  a:\n    image: a\n    env_file: [a.env, ../up.env]\n    environment: {T: '$${x} ${port}'}\n"
    found = taken(text, **{"a.env": "# note\nexport A='1 2' \nB=3 # three\n", ".env": "port=7\n"})
    assert descriptors(found)["a"].env == {"A": "1 2", "B": "3", "T": "$${x} 7"}
    assert ("lost", "services.a.env_file") in said(found, 4)


def test_a_store_that_two_use_belongs_to_the_first_and_that_is_told() -> None:
    text = "services:\n  a: {image: a, depends_on: [db]}\n  b: {image: b, depends_on: [db]}\n  db: {image: postgres}\n"
    found = taken(text)
    made = descriptors(found)
    assert (list(made["a"].resources), list(made["b"].resources)) == (["db"], [])
    assert any(one.kind == "todo" and "'b' uses 'db' as well" in one.why for one in found.remarks)


def test_what_a_store_was_told_beside_its_users_is_told() -> None:
    found = taken(
        "services:\n  a:\n    image: a\n    volumes: [data:/x]\n  b: {image: b, volumes: [data:/x]}\n"
        "  a_db:\n    image: postgres\n    environment: [POSTGRES_INITDB_ARGS=-k]\n"
        "    volumes: ['./init:/docker-entrypoint-initdb.d', 'pg:/var/lib/postgresql']\n"
        "  a-db: {image: redis}\n  c: {image: c, depends_on: [a_db, a-db]}\n"
    )
    assert sorted(descriptors(found)["c"].resources) == ["a-db", "a-db-2"]
    assert ("lost", "services.a_db.environment.POSTGRES_INITDB_ARGS") in said(found, 8)
    assert said(found, 9) == [("lost", "services.a_db.volumes")]
    assert any("'a' and 'b' share the volume 'data'" in one.why for one in found.remarks)


def test_extends_takes_what_is_not_said() -> None:
    text = (
        "services:\n  base: {image: app:1, environment: {A: '1', B: '2'}, expose: [9000]}\n"
        "  web: {extends: {service: base}, environment: {B: '3'}}\n"
    )
    web = descriptors(taken(text))["web"]
    assert (web.image, web.port, web.env) == ("app:1", 9000, {"A": "1", "B": "3"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no Compose file"),
        ("- a\n- b\n", "no Compose file"),
        ("services:\n", "no services"),
        ("services: {a: {image: x}\n", "no Compose file"),
        ("services: {a: {image: x}}\nservices: {b: {image: y}}\n", "stand"),
        ("services: {db: {image: postgres}}\n", "only stores"),
        (
            "services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}\n",
            "circle.*a → b → a",
        ),
        ("services: {a: {extends: b}, b: {extends: a}}\n", "'extends' goes in a circle"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 10)}]\n"
                for i in range(9)
            ),
            "no Compose file",
        ),
        ("services: {a: !!python/object:os.system {image: x}}\n", "no Compose file"),
        ("x: " + "y" * 5_000_000, "no Compose file"),
        ("services: {a: {image: x}}\n---\nservices: {b: {image: x}}\n", "one mapping"),
    ],
)
def test_what_cannot_be_imported_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(
        ImportRefused, match=rf"(?s){says}" if says != "stand" else "(?s)compose.yaml"
    ):
        taken(text)


def test_a_hundred_services_that_extend_each_other_are_no_trouble() -> None:
    text = "services:\n  s0: {image: x}\n" + "".join(
        f"  s{i}: {{extends: s{i - 1}}}\n" for i in range(1, 100)
    )
    with pytest.raises(ImportRefused, match="circle"):
        taken(text)


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "~/x", "https://example.com/x.git", "a\\b"]
)
def test_nothing_outside_of_the_folder_is_asked_for(path: str) -> None:
    asked: list[str] = []

    def files(name: str) -> bytes | None:
        asked.append(name)
        return None

    text = f"services: {{a: {{build: '{path}', env_file: '{path}'}}}}\n"
    found = compose.read(text.encode(), file="c", owner="o", files=files)
    assert asked == [".env"]
    assert any("outside" in one.why for one in found.remarks)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 99999)
    | st.sampled_from(["", "x", "a:b", "1s", "${X}", "../y", "\x07", "ä"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", "B", "test", "source", "file", "service", "target", "limits"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *SERVICE,
        "image",
        "build",
        "command",
        "entrypoint",
        "environment",
        "env_file",
        "ports",
        "expose",
        "depends_on",
        "healthcheck",
        "volumes",
        "deploy",
        "secrets",
        "restart",
        "stop_signal",
        "stop_grace_period",
        "scale",
        "cpus",
        "mem_limit",
        "extends",
        "nobody-knows",
    ]
)


@settings(max_examples=300)
@given(st.dictionaries(KEYS, VALUES, max_size=6), st.dictionaries(KEYS, VALUES, max_size=3))
def test_whatever_a_service_says_comes_out_valid_or_told(
    web: dict[str, object], other: dict[str, object]
) -> None:
    text = json.dumps({"services": {"web": web, "other": other}})
    try:
        found = taken(text)
    except ImportRefused:
        return
    assert [one for one in found.remarks if "the descriptor has a mistake" in one.why] == []
    told = {one.path for one in found.remarks}
    for service, keys in (("web", web), ("other", other)):
        if isinstance(keys.get("extends"), (str, dict)):
            continue
        for key in keys.keys() & (SERVICE.keys() | {"nobody-knows"}):
            assert f"services.{service}.{key}" in told
