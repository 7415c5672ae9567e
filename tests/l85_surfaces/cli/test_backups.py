from __future__ import annotations

from datetime import UTC, datetime, timedelta

from drystone.l25_deployer.backups.api import BackupView, ResourceBackups, TrialView
from drystone.l25_deployer.backups.whole_domain import LayerReport, Recovered
from drystone.l85_surfaces.cli.views.backups import backups, recovered, size

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def resource(**more: object) -> ResourceBackups:
    one = BackupView(
        id="20260504t100000z-5d0c",
        at=NOW - 2 * HOUR,
        release=3,
        reason="scheduled",
        by="platform",
        size=2_500_000,
        seconds=1.5,
        parts=4,
        counted=1000,
        folder="/f",
        proven=NOW - HOUR,
    )
    trial = TrialView(backup=one.id, at=NOW - HOUR, seconds=2.0, compared=4, counted=1000)
    values: dict[str, object] = {
        "resource": "db",
        "type": "postgres",
        "every": 86400.0,
        "keep": 3024000.0,
        "restore_test": 604800.0,
        "backups": [one],
        "trials": [trial],
    }
    return ResourceBackups(**{**values, **more})  # type: ignore[arg-type]


def test_backups_say_how_old_they_are_and_whether_they_were_proven() -> None:
    text = "\n".join(backups([resource()], NOW))

    assert "db  postgres" in text
    assert "every 1 d, kept 35 d, tested every 7 d" in text
    assert "2 h" in text
    assert "2.5 MB" in text
    assert "everything came back" in text


def test_what_went_wrong_comes_before_what_went_well() -> None:
    lines = list(backups([resource(trouble="backup failed", unreadable=["it is damaged"])], NOW))

    assert lines.index("  backup failed") < next(n for n, x in enumerate(lines) if "5d0c" in x)
    assert "  it is damaged" in lines


def test_a_resource_that_is_gone_and_one_without_backups_are_told_as_such() -> None:
    gone = list(backups([resource(type="", every=None, keep=None)], NOW))
    none = list(backups([resource(backups=[], trials=[], every=None)], NOW))

    assert gone[0] == "db  it is gone"
    assert none[1:] == ["  no backup"]


def test_a_recovery_is_told_layer_by_layer() -> None:
    report = Recovered(
        backup="x",
        began=NOW,
        seconds=12.0,
        unpacking=0.5,
        layers=[LayerReport(10, ["postgres"], 3.0), LayerReport(100, ["a.dev"], 8.0, 7200.0)],
        data_age=7200.0,
        size=1_000_000,
        resources=1,
    )

    lines = list(recovered(report))

    assert lines[1].split() == ["10", "3.00", "s", "-", "postgres"]
    assert lines[2].split() == ["100", "8.00", "s", "2", "h", "a.dev"]
    assert lines[3].startswith("recovered in 12.0 s, 0.50 s of it unpacking")


def test_sizes_have_a_unit_that_fits() -> None:
    assert [size(n) for n in (7, 7_000, 7_000_000, 7_000_000_000)] == [
        "7 B",
        "7.0 kB",
        "7.0 MB",
        "7.0 GB",
    ]
