"""Flow logs: which end called, and whose the addresses were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drystone.l05_graph.ingest import vpc_connections, vpc_flow
from drystone.l05_graph.ingest.endpoints import Endpoint, Endpoints, Known
from drystone.l05_graph.ingest.source import Stream, Unreadable
from l05_graph.ingest.logs import (
    VPC,
    inventory,
    read,
    reasons,
    shown,
)


def test_the_examples_of_aws_are_one_call_and_four_that_are_told() -> None:
    found = read("vpc-flow", VPC)
    assert shown(found) == ["external:172.31.16.139 → external:172.31.16.21 1/0 tcp/22"]
    assert sorted(reasons(found)) == [
        "the protocol has no ports",
        "the record says NODATA: nothing was recorded",
        "the record says SKIPDATA: nothing was recorded",
        "the traffic was rejected (REJECT)",
    ]
    assert found.skips[0].places == ("f:2",)


def flow(
    source: str, sport: int, target: str, dport: int, *, at: int = 1418530010, eni: str = "eni-1"
) -> str:
    return f"2 1 {eni} {source} {target} {sport} {dport} 6 20 4249 {at} {at + 60} ACCEPT OK\n"


def test_both_directions_at_both_ends_are_one_call_for_ten_minutes() -> None:
    there, back = ("10.0.0.1", 40000, "10.0.0.2", 443), ("10.0.0.2", 443, "10.0.0.1", 40000)
    window = "".join(
        flow(*ends, at=1418530010 + late) for ends in (there, back, there, back) for late in (0, 7)
    )
    assert shown(read("vpc-flow", window)) == ["external:10.0.0.1 → external:10.0.0.2 1/0 tcp/443"]
    later = "".join(flow(*there, at=1418530010 + minutes * 60) for minutes in range(30))
    assert read("vpc-flow", later).observations[0].calls == 3


@pytest.mark.parametrize(
    ("sport", "dport", "is_forward"),
    [
        (40000, 443, True),
        (443, 40000, False),
        (1024, 22, True),
        (5432, 33000, False),
        (50000, 8080, True),
    ],
)
def test_the_side_with_the_ephemeral_port_called(sport: int, dport: int, is_forward: bool) -> None:
    (one,) = read("vpc-flow", flow("10.0.0.1", sport, "10.0.0.2", dport)).observations
    assert (one.caller == "external:10.0.0.1") is is_forward


def test_an_address_belongs_to_its_owner_of_that_time_and_an_interface_names_an_unknown_end() -> (
    None
):
    moved = datetime.fromtimestamp(1418530010, UTC) + timedelta(hours=1)
    known = Endpoints(
        (
            Endpoint(known=Known.IP, value="10.0.0.0/24", component="old", until=moved),
            Endpoint(known=Known.IP, value="10.0.0.0/24", component="new", since=moved),
            Endpoint(known=Known.ENI, value="eni-2", component="db"),
        )
    )
    lines = flow("10.0.0.1", 40000, "10.1.0.1", 5432, eni="eni-2")
    lines += flow("10.0.0.1", 40000, "10.1.0.1", 5432, at=1418530010 + 3600, eni="eni-2")
    assert shown(read("vpc-flow", lines, known)) == [
        "new → db 1/0 tcp/5432",
        "old → db 1/0 tcp/5432",
    ]


def test_addresses_without_end_are_forgotten_and_every_connection_still_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(vpc_connections, "MOST_ADDRESSES", 500)
    monkeypatch.setattr(vpc_connections, "_AT_ONCE", 100)
    lines = "".join(
        flow(f"10.{n // 256}.{n % 256}.1", 40000, "10.200.0.2", 443) for n in range(3000)
    )
    (one, *_) = found = read("vpc-flow", lines, inventory(a="ip:10.0.0.0/9")).observations
    assert (one.calls, len(found)) == (3000, 1)


def test_fields_are_taken_from_the_first_line_or_from_a_format_string() -> None:
    body = "ACCEPT 10.0.0.1 10.0.0.2 40000 443 6 1418530010 10.9.9.9 2\n"
    names = "action pkt-srcaddr dstaddr srcport dstport protocol start srcaddr tcp-flags"
    expected = ["external:10.0.0.1 → external:10.0.0.2 1/0 tcp/443"]
    assert shown(read("vpc-flow", f"{names}\n{body}")) == expected
    written = " ".join(f"${{{name}}}" for name in names.split())
    by_format = vpc_flow.with_fields(written)
    assert shown(by_format(Stream(name="f", chunks=[body.encode()]), Endpoints())) == expected
    with pytest.raises(Unreadable, match="does not name srcaddr, dstaddr"):
        vpc_flow.with_fields("version srcport dstport protocol start")


@pytest.mark.parametrize(
    ("flags", "is_forward"),
    [
        (2, True),
        (18, False),
        (3, True),
        (19, False),
        (7, True),
        (23, False),
        (0, False),
        (1, False),
    ],
)
def test_flags_of_a_whole_window_tell_who_began_better_than_ports(
    flags: int, is_forward: bool
) -> None:
    # "TCP flag sequence" in the Amazon VPC User Guide: of a short connection, 3 is SYN and FIN, 19 their answer.
    names = "srcaddr dstaddr srcport dstport protocol start tcp-flags\n"
    found = read("vpc-flow", f"{names}10.0.0.1 10.0.0.2 5001 43416 6 1418530010 {flags}\n")
    expected = ["10.0.0.1 → external:10.0.0.2", "10.0.0.2 → external:10.0.0.1"][not is_forward]
    assert shown(found) == [f"external:{expected} 1/0 tcp/{43416 if is_forward else 5001}"]


def test_the_interface_of_an_unknown_end_is_named_by_its_service_of_ecs() -> None:
    names = "srcaddr dstaddr srcport dstport protocol start flow-direction ecs-service-name\n"
    line = "10.0.0.1 10.0.0.2 40000 5432 6 1418530010 egress {}\n"
    known = inventory(db="ip:10.0.0.2")
    assert shown(read("vpc-flow", names + line.format("shop"), known)) == ["shop → db 1/0 tcp/5432"]
    assert shown(read("vpc-flow", names + line.format("-"), known)) == [
        "external:10.0.0.1 → db 1/0 tcp/5432"
    ]


def test_rows_are_read_like_lines() -> None:
    row = {
        "srcaddr": "10.0.0.1",
        "dstaddr": "10.0.0.2",
        "srcport": 40000,
        "dstport": 443,
        "protocol": 6,
        "start": 1418530010,
        "action": "ACCEPT",
        "log_status": "OK",
        "interface_id": None,
    }
    found = vpc_flow.read_rows([row, {**row, "action": "REJECT"}], "f.parquet", Endpoints())
    assert shown(found) == ["external:10.0.0.1 → external:10.0.0.2 1/0 tcp/443"]
    assert found.skips[0].places == ("f.parquet: row 2",)
    assert found.batch.records == 2
    with pytest.raises(Unreadable, match="does not name dstaddr"):
        vpc_flow.read_rows([{"srcaddr": "x"}], "f.parquet", Endpoints())


def test_many_unknown_addresses_of_a_network_become_the_network() -> None:
    few = "".join(flow(f"203.0.113.{n}", 40000, "10.0.0.2", 443) for n in range(16))
    assert len(read("vpc-flow", few).observations) == 16
    many = "".join(flow(f"203.0.113.{n}", 40000, "10.0.0.2", 443) for n in range(17))
    assert shown(read("vpc-flow", many)) == [
        "external:203.0.113.0/24 → external:10.0.0.2 17/0 tcp/443"
    ]
    sixes = "".join(flow(f"2001:db8::{n:x}", 40000, "10.0.0.2", 443) for n in range(40))
    assert shown(read("vpc-flow", sixes)) == [
        "external:2001:db8::/64 → external:10.0.0.2 40/0 tcp/443"
    ]
    scanned = "".join(
        flow(f"10.{n // 256}.{n % 256}.1", 40000, "10.0.0.2", 443) for n in range(4097)
    )
    assert shown(read("vpc-flow", scanned)) == [
        "external:internet → external:10.0.0.2 4097/0 tcp/443"
    ]
