from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import (
    Setting,
    Settings,
    SettingsRefused,
    parse_size,
)
from drystone.l00_kernel.settings_tables import ObjectsSettings


def load(folder: Path, text: str = "", **environ: str) -> Settings:
    (folder / "settings.toml").write_text(text)
    return Settings.load(Home(folder), environ)


def test_a_home_without_settings_has_the_defaults(tmp_path: Path) -> None:
    settings = Settings.load(Home(tmp_path / "nothing"), {"HOME": "/", "DRYSTONE_HOME": "/x"})
    assert settings == Settings()
    assert (settings.port, settings.runtime, settings.default_environment) == (8400, "auto", "dev")
    assert {setting.source for setting in settings.explain()} == {"default"}


def test_the_file_decides_and_a_variable_overrides_it(tmp_path: Path) -> None:
    text = 'port = 9000\nruntime = "podman"\n[postgres]\nmemory = "512MiB"'
    settings = load(tmp_path, text, DRYSTONE_PORT="9100", DRYSTONE_PROXY_MEMORY="64M")
    assert (settings.port, settings.runtime) == (9100, "podman")
    assert (settings.postgres.memory, settings.proxy.memory) == (512 * 1024**2, 64 * 1024**2)
    assert settings.sources == {
        "port": "DRYSTONE_PORT",
        "runtime": str(tmp_path / "settings.toml"),
        "postgres.memory": str(tmp_path / "settings.toml"),
        "proxy.memory": "DRYSTONE_PROXY_MEMORY",
    }


def test_every_setting_can_be_set_by_its_variable(tmp_path: Path) -> None:
    values = {"port": "1", "runtime": "processes", "default_environment": "test"}
    values |= {"at_rest": "encrypted"}
    values |= {"postgres.url": "postgresql://h/d", "cache.url": "redis://h"}
    values |= {"objects.endpoint": "http://h", "dependencies.idle_minutes": "5"}
    values |= {"backups.folder": "/b", "costs.prices": "/p", "costs.budgets": "/q"}
    values |= {"backups.places": "disk=/mnt/disk;share=/mnt/share"}
    values |= {"credentials.rotate_days": "90"}
    values |= {"quota.memory": "1GiB", "quota.disk": "1GiB", "quota.cpu": "1.5"}
    values |= {f"quota.{count}": "9" for count in ("services", "instances", "resources")}
    values |= {"keys.algorithm": "RS256", "proxy.open": "false", "console.idle_minutes": "5"}
    values |= {"proxy.placement": "instance", "orchestrator.url": "https://o.example"}
    values |= {"limits.url": "redis://l", "limits.rate_limit_service": "true"}
    values |= {
        "edge.https_port": "3",
        "edge.address": "10.9.8.7",
        "edge.networks": "office=10.0.0.0/8,fc00::/7;x=1.2.3.4",
    }
    values |= {"metrics.port": "2", "telemetry.statsd": "127.0.0.1:8125"}
    values |= {"telemetry.otlp": "http://t", "telemetry.zipkin": "http://z"}
    values |= {"signin.url": "https://p.example", "signin.issuer": "https://i.example/t"}
    values |= {"signin.client_id": "us", "signin.client_secret_file": "/c"}
    values |= {"signin.user_claim": "email", "signin.groups_claim": "roles"}
    values |= {"signin.staff_group": "staff", "signin.trusted_builds_file": "/d"}
    values |= {"signin.session_hours": "8", "signin.idle_minutes": "5"}
    values |= {"objects.access_key_file": "/a", "objects.secret_key_file": "/b"}
    values |= {f"{e}.memory": "1GiB" for e in ("postgres", "objects", "proxy")}
    variables = {f"DRYSTONE_{n.replace('.', '_').upper()}": v for n, v in values.items()}
    settings = load(tmp_path, **variables)
    assert {setting.name for setting in settings.explain()} == set(values)
    assert set(settings.sources.values()) == set(variables)
    assert settings.objects == ObjectsSettings(
        endpoint="http://h",
        access_key_file=Path("/a"),
        secret_key_file=Path("/b"),
        memory=1024**3,
    )


def test_all_mistakes_are_told_at_once_with_suggestions(tmp_path: Path) -> None:
    text = (
        'prot = 1\nruntime = "docker"\n[postgres]\nurk = "x"\nmemory = "lots"\n[cahce]\nurl = "x"'
    )
    with pytest.raises(SettingsRefused) as caught:
        load(tmp_path, text, DRYSTONE_POSTGRES_URI="x", DRYSTONE_PORT="99999")
    message = str(caught.value)
    for words in (
        "no setting prot; did you mean port?",
        "no setting postgres.urk; did you mean postgres.url?",
        "no setting cahce; did you mean cache?",
        "runtime: Invalid enum value 'docker'",
        "postgres.memory: not a size; write it as 512MiB",
        "DRYSTONE_POSTGRES_URI is no setting; did you mean DRYSTONE_POSTGRES_URL?",
        "DRYSTONE_PORT: port: Expected `int` <= 65535",
    ):
        assert words in message
    assert len(message.splitlines()) == 7


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = ", "settings.toml"),
        ('port = "8400"', "Expected `int`, got `str`"),
        ("port = true", "Expected `int`, got `bool`"),
        ('default_environment = "Dev!"', "default_environment"),
        ("postgres = 5", "no setting postgres"),
        ('[objects]\nendpoint = "http://h"', "needs objects.access_key_file and"),
        ('[objects]\naccess_key_file = "/k"', "of no use without objects.endpoint"),
        (
            '[objects]\nendpoint = "http://h"\naccess_key_file = "k"\nsecret_key_file = "/s"',
            "the path must be absolute",
        ),
        ('[proxy]\nmemory = "1MiB"', "less than 16MiB"),
        ('[keys]\nalgorithm = "HS256"', "keys.algorithm: Invalid enum value 'HS256'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SettingsRefused, match=words):
        load(tmp_path, text)


def test_no_password_is_shown(tmp_path: Path) -> None:
    url = "postgresql://admin:hunter2@db:5432/app?sslpassword=hunter2"
    settings = load(tmp_path, DRYSTONE_POSTGRES_URL=url, DRYSTONE_CACHE_URL="redis://:hunter2@[bad")
    assert settings.postgres.url == url
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in repr(settings.explain())
    shown = Setting("postgres.url", "postgresql://db:5432/app", "DRYSTONE_POSTGRES_URL")
    assert shown in settings.explain()


@pytest.mark.parametrize(
    ("text", "size"),
    [("16777216", 16 * 1024**2), ("20 mb", 20 * 1024**2), ("2G", 2 * 1024**3), ("1TiB", 1024**4)],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1.5G", "5XB", "GiB", "1e9", "16777215B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|no engine runs"):
        parse_size(text)


@pytest.mark.parametrize(
    "address",
    [
        "http://sso.example.com",
        "http://localhost.example.com/",
        "https://a@b.example",
        "https://a.example/?x",
        "https://a.example#b",
        "file:///etc/passwd",
        "https://",
        "",
    ],
)
def test_an_address_of_the_sign_in_that_others_could_read_is_refused(
    tmp_path: Path, address: str
) -> None:
    with pytest.raises(SettingsRefused, match=r"signin\.issuer must be an address with https"):
        load(tmp_path, DRYSTONE_SIGNIN_ISSUER=address)


def test_a_secret_at_no_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"of no use without signin\.issuer"):
        load(tmp_path, DRYSTONE_SIGNIN_CLIENT_SECRET_FILE="/secret")


def test_places_have_names_and_absolute_folders(tmp_path: Path) -> None:
    found = load(tmp_path, '[backups.places]\ndisk = "/mnt/disk"\n')
    assert found.backups.places == {"disk": "/mnt/disk"}
    explained = {one.name: one.value for one in found.explain()}
    assert explained["backups.places"] == "disk=/mnt/disk"
    for wrong in ('disk = "mnt"', "disk = 3", '"not a name" = "/mnt"'):
        with pytest.raises(SettingsRefused, match=r"backups\.places"):
            load(tmp_path, f"[backups.places]\n{wrong}\n")


def test_networks_have_names_and_ranges(tmp_path: Path) -> None:
    found = load(tmp_path, '[edge.networks]\noffice = ["10.0.0.0/8", "fc00::/7"]\n')
    assert found.edge.networks == {"office": ("10.0.0.0/8", "fc00::/7")}
    for wrong in ("127.0.0.1", "here", "10.0.0.0/8", ""):
        with pytest.raises(SettingsRefused, match=r"edge\.address"):
            load(tmp_path, DRYSTONE_EDGE_ADDRESS=wrong)
    assert load(tmp_path, DRYSTONE_EDGE_NETWORKS="office=10.0.0.0/8,fc00::/7").edge == found.edge
    for wrong in ("office=10.0.0.1/8", "office=", "office", "Office=10.0.0.0/8", "x=moon"):
        with pytest.raises(SettingsRefused, match=r"edge\.networks"):
            load(tmp_path, DRYSTONE_EDGE_NETWORKS=wrong)
