from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l25_deployer.api import HistoryEvent
from drystone.l25_deployer.errors import ReleaseNotFound, ServiceNotFound
from drystone.l25_deployer.local.documents import Documents, UnreadableDocument
from drystone.l25_deployer.local.records import InstanceRecord, Operation, ServiceRecord, Warmth
from drystone.l25_deployer.stacks.model import Bucket, Cache, Postgres, Volume
from l25_deployer.local.small_instances import release

NOW = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True)
NUMBERS = st.integers(1, 10**9)
MOMENTS = st.datetimes(timezones=st.just(UTC))
RESOURCES = st.one_of(
    st.builds(Postgres, st.text(), NUMBERS, st.lists(st.text()).map(tuple), st.booleans()),
    st.builds(Bucket, st.booleans()),
    st.builds(Cache, NUMBERS, st.text(), st.booleans()),
    st.builds(Volume, st.booleans()),
)
ETERNAL = st.dictionaries(NAMES, RESOURCES, max_size=3)
RECORDS = st.builds(
    ServiceRecord,
    service=NAMES,
    environment=NAMES,
    active=st.none() | NUMBERS,
    trail=st.lists(NUMBERS).map(tuple),
    warm=st.dictionaries(
        NUMBERS, st.builds(Warmth, MOMENTS, st.none() | st.floats(0, 1e9), st.text()), max_size=2
    ),
    next_release=NUMBERS,
    eternal=ETERNAL,
    operation=st.none()
    | st.builds(
        Operation,
        st.sampled_from(["deploy", "rollback", "destroy"]),
        st.none() | NUMBERS,
        MOMENTS,
        st.text(),
        st.lists(NAMES).map(tuple),
        st.lists(NAMES).map(tuple),
        ETERNAL,
    ),
)


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return Documents(tmp_path)


@settings(max_examples=30, deadline=None)
@given(record=RECORDS)
def test_a_record_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, record: ServiceRecord
) -> None:
    documents = Documents(tmp_path_factory.getbasetemp())
    documents.save_service(record)

    assert documents.service(record.environment, record.service) == record


@settings(max_examples=20, deadline=None)
@given(
    text=st.text(),
    ids=st.lists(st.builds(InstanceRecord, NAMES, NAMES, st.none() | NUMBERS), max_size=3),
)
def test_a_release_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, text: str, ids: list[InstanceRecord]
) -> None:
    documents = Documents(tmp_path_factory.getbasetemp())
    written = msgspec.structs.replace(
        release(number=7), descriptor=text, version=text, failure=text, instances=tuple(ids)
    )
    documents.save_release(ServiceRecord("greeter", "dev"), written)

    assert documents.release("dev", "greeter", 7) == written


@settings(max_examples=30, deadline=None)
@given(events=st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_history_is_read_newest_first(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, str]]
) -> None:
    documents = Documents(tmp_path_factory.mktemp("history"))
    written = [HistoryEvent(NOW, by, "e", text) for by, text in events]
    documents.append_history("dev", "greeter", HistoryEvent(NOW, "a", "first", ""))
    for event in written:
        documents.append_history("dev", "greeter", event)

    assert documents.history("dev", "greeter")[:-1] == written[::-1]


NAMES_THAT_LEAD_ELSEWHERE = ["..", ".", "", "/etc", "a/b", "a\0", "A", "a" * 41, "-a", "a\n", "ä"]


@pytest.mark.parametrize("name", NAMES_THAT_LEAD_ELSEWHERE)
def test_no_name_leads_out_of_the_home(documents: Documents, tmp_path: Path, name: str) -> None:
    for environment, service in ((name, "greeter"), ("dev", name)):
        with pytest.raises(ServiceNotFound):
            documents.service(environment, service)
        with pytest.raises(ServiceNotFound):
            documents.history(environment, service)
        with pytest.raises(ServiceNotFound):
            documents.save_service(ServiceRecord(service, environment))
        with pytest.raises(ServiceNotFound):
            documents.remove_service(ServiceRecord(service, environment))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"null", b"[]", b'{"service": 1}', b"\xff", b'{"service":"greeter"}'],
    ids=repr,
)
def test_a_damaged_record_is_reported_with_its_path(
    documents: Documents, tmp_path: Path, damage: bytes
) -> None:
    documents.save_service(ServiceRecord("greeter", "dev"))
    (tmp_path / "dev/greeter/service.json").write_bytes(damage)

    with pytest.raises(UnreadableDocument, match=r"dev/greeter/service\.json cannot be read"):
        documents.service("dev", "greeter")
    assert documents.services() == [("dev", "greeter")]


def test_what_is_no_release_is_left_out_of_them(documents: Documents, tmp_path: Path) -> None:
    record = ServiceRecord("greeter", "dev")
    for number in (2, 10):
        documents.save_release(record, release(number=number))
    folder = tmp_path / "dev/greeter/releases"
    (folder / "3.json").write_text("{")
    (folder / "4 copy.json").write_text("{}")
    (folder / ".partial-x").write_text("")

    assert [r.number for r in documents.releases("dev", "greeter")] == [10, 2]
    with pytest.raises(UnreadableDocument):
        documents.release("dev", "greeter", 3)
    with pytest.raises(ReleaseNotFound):
        documents.release("dev", "greeter", 4)


@pytest.mark.parametrize("torn", [b'{"at":"2026', b"\xff\xfe", b"{}"])
def test_a_torn_line_of_the_history_swallows_no_other(
    documents: Documents, tmp_path: Path, torn: bytes
) -> None:
    first, second = (HistoryEvent(NOW, "a", event, "") for event in ("first", "second"))
    documents.append_history("dev", "greeter", first)
    path = tmp_path / "dev/greeter/history.jsonl"
    path.write_bytes(path.read_bytes() + torn)

    documents.append_history("dev", "greeter", second)

    assert documents.history("dev", "greeter") == [second, first]


def test_a_removed_service_keeps_its_history(documents: Documents) -> None:
    record = ServiceRecord("greeter", "dev")
    documents.save_service(record)
    documents.save_release(record, release())
    documents.append_history("dev", "greeter", HistoryEvent(NOW, "a", "destroyed", ""))

    documents.remove_service(record)
    documents.remove_service(record)

    assert documents.services() == []
    assert documents.releases("dev", "greeter") == []
    assert len(documents.history("dev", "greeter")) == 1


def test_readers_see_one_whole_record_or_the_other(documents: Documents, tmp_path: Path) -> None:
    records = [
        ServiceRecord("greeter", "dev", active=n, trail=tuple(range(n * 100))) for n in (1, 9)
    ]
    documents.save_service(records[0])
    over = threading.Event()

    def write() -> None:
        for n in range(100):
            documents.save_service(records[n % 2])
        over.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = [documents.service("dev", "greeter")]
    while not over.is_set():
        seen.append(documents.service("dev", "greeter"))
    writer.join()

    assert all(record in records for record in seen)
    assert [path.name for path in (tmp_path / "dev/greeter").iterdir()] == ["service.json"]
