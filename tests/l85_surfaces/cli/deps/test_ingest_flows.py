"""``drystone deps ingest vpc-flow``: other orders of fields, files of Parquet, a file that is read anew."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from drystone.l05_graph.forms import evidence
from l85_surfaces.cli.conftest import Drystone

FIELDS = "srcaddr dstaddr srcport dstport protocol start"
INGEST = ("deps", "ingest", "vpc-flow")


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    (tmp_path / "custom.log").write_text("10.0.0.1 10.0.0.2 40000 443 6 1795330800\n")
    return tmp_path / "evidence.jsonl"


def pairs(file: Path) -> list[tuple[str, str]]:
    return list(evidence.read(file.read_bytes()).pairs)


def test_a_file_that_told_nothing_can_be_read_with_other_fields(
    drystone: Drystone, flows: Path
) -> None:
    said = drystone(*INGEST, "custom.log", "--evidence", "evidence.jsonl")
    assert "fewer than 14 fields" in said.out
    said = drystone(*INGEST, "custom.log", "--fields", FIELDS, "--evidence", "evidence.jsonl")
    assert (said.code, said.err) == (0, "")
    assert pairs(flows) == [("external:10.0.0.1", "external:10.0.0.2")]


def test_a_file_is_read_anew_when_names_have_changed(
    drystone: Drystone, flows: Path, tmp_path: Path
) -> None:
    (tmp_path / "endpoints.yaml").write_text("endpoints: {10.0.0.1: shop, 10.0.0.2: users}\n")
    usual = [*INGEST, "custom.log", "--fields", FIELDS, "--evidence", "evidence.jsonl"]
    drystone(*usual)
    assert "imported before" in drystone(*usual, "--endpoints", "endpoints.yaml").out
    drystone(*usual, "--endpoints", "endpoints.yaml", "--again")
    assert pairs(flows) == [("shop", "users")]


def test_a_parquet_file_is_read_by_its_rows(
    drystone: Drystone, flows: Path, tmp_path: Path
) -> None:
    row = "'10.0.0.1' srcaddr, '10.0.0.2' dstaddr, 40000 srcport, 443 dstport, 6 protocol, 1795330800 AS start"
    duckdb.connect().from_query(f"SELECT {row}").write_parquet(str(tmp_path / "flow.parquet"))
    drystone(*INGEST, "flow.parquet", "--evidence", "evidence.jsonl")
    assert pairs(flows) == [("external:10.0.0.1", "external:10.0.0.2")]
    assert "cannot be read" in drystone(*INGEST, "none.parquet").err


def test_fields_are_for_sources_that_have_them(drystone: Drystone, flows: Path) -> None:
    said = drystone("deps", "ingest", "zipkin-links", "custom.log", "--fields", FIELDS)
    assert said.code == 2
    assert "not for zipkin-links" in said.err
