from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.ingest.vpc_flow import read_rows
from drystone.l10_engines.columnar.parquet import ParquetUnreadable, rows


def written(path: Path, query: str) -> Path:
    duckdb.connect().from_query(query).write_parquet(str(path))
    return path


def test_rows_are_given_with_every_value_as_text(tmp_path: Path) -> None:
    query = "SELECT 1::BIGINT AS a, NULL AS b, TIMESTAMPTZ '2026-11-22 07:00:00+00' AS c, [1, 2] AS d FROM range(3)"
    found = list(rows(written(tmp_path / "it's.parquet", query)))
    assert len(found) == 3
    assert (found[0]["a"], found[0]["b"], found[0]["d"]) == ("1", None, "[1, 2]")
    assert str(found[0]["c"]).startswith("2026-11-22")


def test_many_rows_come_piece_by_piece(tmp_path: Path) -> None:
    found = rows(written(tmp_path / "many.parquet", "SELECT range AS n FROM range(10000)"))
    assert sum(int(row["n"] or 0) for row in found) == sum(range(10000))


def test_the_flow_logs_of_aws_are_read(tmp_path: Path) -> None:
    # Columns of flow logs in Parquet have _ between words.
    query = (
        "SELECT 2 AS version, 'eni-1' AS interface_id, '10.0.0.' || (range % 3) AS srcaddr, '10.0.1.1' AS dstaddr,"
        " (40000 + range)::INTEGER AS srcport, 443 AS dstport, 6 AS protocol, 1418530010::BIGINT AS start,"
        " 'ACCEPT' AS action, 'OK' AS log_status FROM range(30)"
    )
    path = written(tmp_path / "flow.parquet", query)
    found = read_rows(rows(path), path.name, Endpoints())
    assert [one.calls for one in found.observations] == [10, 10, 10]
    assert read_rows(rows(path), path.name, Endpoints()).batch.digest == found.batch.digest


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1xxxxPAR1", b"PAR1" + b"\xff" * 100 + b"PAR1", b"a,b\n"]
)
def test_what_is_no_parquet_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.parquet").write_bytes(content)
    with pytest.raises(ParquetUnreadable, match=r"x\.parquet cannot be read"):
        list(rows(tmp_path / "x.parquet"))


def test_a_file_that_is_not_there_is_told_by_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(rows(tmp_path / "no.parquet"))


def test_a_name_reads_no_other_file(tmp_path: Path) -> None:
    written(tmp_path / "secret.parquet", "SELECT 1 AS a")
    (tmp_path / "*.parquet").write_bytes(b"PAR1")
    with pytest.raises(ParquetUnreadable):
        list(rows(tmp_path / "*.parquet"))


def test_duckdb_is_loaded_when_a_file_is_read() -> None:
    program = "import sys, drystone.l10_engines.columnar.parquet; print('duckdb' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
