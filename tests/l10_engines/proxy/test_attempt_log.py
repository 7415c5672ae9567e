"""Attempts are written down of watched routes alone, each one, and forgotten when nobody reads them any more."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from drystone.l10_engines.proxy.attempt_log import KEPT
from drystone.l10_engines.proxy.edge_canary import told_of
from drystone.l10_engines.proxy.edge_endpoints import Endpoint
from drystone.l10_engines.proxy.edge_routes import service_host
from drystone.l10_engines.proxy.edge_services import Canary, EdgeService, Pool
from drystone.l10_engines.proxy.logs import forget_old

TRIED = Canary(pool=Pool("new", 1, (Endpoint(2),)), share=500, cohort="user", by="user")
SERVICE = EdgeService(name="shop.dev", hosts=("shop",), pools=(Pool("old", 1, (Endpoint(1),)),))


def test_a_log_is_emptied_under_its_writer_and_the_one_before_it_goes(tmp_path: Path) -> None:
    log, beside = tmp_path / "attempts.log", tmp_path / "attempts.log.1"
    beside.write_text("older\n")
    with log.open("a") as writer:
        writer.write("anna\n")
        writer.flush()
        last = log.stat().st_mtime
        forget_old(log, now=last + KEPT.total_seconds() - 1)
        assert log.read_text() == "anna\n"
        assert beside.exists()
        forget_old(log, now=last + KEPT.total_seconds() + 1)
        assert (log.read_text(), beside.exists()) == ("", False)
        writer.write("bert\n")
    assert log.read_text() == "bert\n"
    forget_old(tmp_path / "none.log", now=last)


def test_routes_say_what_is_written_down_and_who_chooses_by_a_header_is_nobody() -> None:
    canary = structs.replace(TRIED, header="x-release")
    host = service_host(structs.replace(SERVICE, canary=canary), ("*",))
    said = {
        any(h["name"] == "x-release" for h in one["match"]["headers"]): one["metadata"]
        for one in host["routes"]
    }
    told = {
        is_chosen: one["filter_metadata"]["drystone.watched"] for is_chosen, one in said.items()
    }
    assert told == {
        True: {"by": "request"},
        False: {"by": "user", "first": "x-drystone-user", "second": "x-user-id"},
    }


def test_nothing_is_written_of_what_is_not_tried() -> None:
    assert told_of(None) == {}
    assert told_of(Canary(pool=TRIED.pool, share=0, by="user")) == {}
    host = service_host(SERVICE, ("*",))
    assert not any("metadata" in one for one in host["routes"])
