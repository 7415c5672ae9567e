"""Homes for looking at: records written by hand, and nothing that runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from drystone.l10_engines.processes import identity
from drystone.l10_engines.runtimes.records import STARTED, write_record
from drystone.l25_deployer.descriptor import read, resolve
from drystone.l25_deployer.local.records import InstanceRecord, ReleaseRecord, ServiceRecord
from drystone.l25_deployer.stacks.compile import compile_stacks
from drystone.testing.command_line import CommandLine, kill_what_remains, short_home
from drystone.testing.faults.site import Main, Site
from drystone.testing.faults.subjects import ENVIRONMENT, Subject

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def empty_home() -> Iterator[Path]:
    """Make a home in which nobody lives; end what runs there, and remove it."""
    home = short_home("chk")
    home.chmod(0o711)  # where root runs the tests, PostgreSQL runs as somebody else
    (home / "engines").mkdir(mode=0o711)
    (home / "run").mkdir()
    try:
        yield home
    finally:
        kill_what_remains(home)
        shutil.rmtree(home)


def deployed(home: Path, subject: Subject) -> Site:
    """Write down that release 1 of a service serves, at port 20007."""
    site = Site(CommandLine(home), 0, (subject,), {})
    text = subject.write(keep_warm=timedelta(0)).read_text()
    stacks = compile_stacks(resolve(read(text, file="service.yaml"), ENVIRONMENT), version="v1")
    release = ReleaseRecord(
        number=1,
        version="v1",
        created=NOW,
        by="tests",
        descriptor=text,
        file="service.yaml",
        stacks=stacks,
        isolation="processes",
        instances=(InstanceRecord(instance(subject, 1), "web", 20007),),
        state="active",
    )
    record = ServiceRecord(
        subject.name, ENVIRONMENT, active=1, next_release=2, eternal=stacks.eternal.resources
    )
    site.documents.save_release(record, release)
    site.documents.save_service(record)
    return site


def instance(subject: Subject, release: int) -> str:
    """Name an instance; only that of release 1 is to run."""
    return f"{subject.name}-{ENVIRONMENT}-r{release}-web-0"


def started(site: Site, id_: str, pid: int) -> None:
    """Write down that a process is the main one of an instance."""
    folder = site.home.instances / id_
    folder.mkdir(parents=True, exist_ok=True)
    process = identity.identify(pid)
    assert process is not None
    write_record(folder / STARTED, Main(id_, process))
