"""``drystone deps serve``: the view of a survey, for this machine alone."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import Drystone

PROGRAM = "import sys; from drystone.l85_surfaces.cli.entry import main; sys.exit(main())"


@pytest.mark.timeout(120)
def test_the_view_is_served_until_ctrl_c(shop: Path) -> None:
    words = ["deps", "serve", str(shop), "--json"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
                page = answer.read().decode()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)

    assert url.startswith("http://localhost:")
    assert "A shop" in page
    assert process.returncode in {0, 130}


def test_a_port_that_is_taken_is_told(drystone: Drystone) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = drystone("deps", "serve", "shop.yaml", "--port", port)

    assert said.code == 1
    assert f"port {port} cannot be had: Address already in use" in said.err


def test_what_is_no_survey_as_yaml_is_refused_before_anything_listens(
    drystone: Drystone, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text("source,target\na,b\n")
    shop.write_text("components: {a: {needs: {b: }}}")

    table, mistaken = (drystone("deps", "serve", name) for name in ("table.csv", "shop.yaml"))

    assert (table.code, mistaken.code) == (1, 1)
    assert "table.csv is no YAML; `drystone deps export" in table.err
    assert "there is no component 'b'" in mistaken.err
