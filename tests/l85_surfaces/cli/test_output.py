"""What commands print, held as text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l85_surfaces.cli.conftest import DESCRIPTOR, Drystone
from l85_surfaces.cli.small_platform import SmallPlatform

GOLDEN = Path(__file__).parent / "golden"
Golden = Callable[[Path, str], None]

pytestmark = pytest.mark.usefixtures("small")


def steady(text: str) -> str:
    """Replace what differs from run to run: process ids of this test and measured times."""
    return re.sub(r"pid \d+", "pid 1234", text)


@pytest.fixture
def deployed(small: SmallPlatform, drystone: Drystone, descriptor: Path) -> None:
    """Two releases of orders in dev."""
    for version in ("1.1", "1.2"):
        assert drystone("deploy", str(descriptor), "--version", version).code == 0


def test_a_deploy_shows_each_step_and_the_address(
    drystone: Drystone, descriptor: Path, golden: Golden
) -> None:
    said = drystone("deploy", str(descriptor), "--version", "1.2")

    assert (said.code, said.err) == (0, "")
    golden(GOLDEN / "deploy.txt", said.out)


def test_a_failed_deploy_shows_the_whole_report_and_exits_with_1(
    drystone: Drystone, descriptor: Path, golden: Golden
) -> None:
    drystone("deploy", str(descriptor), "--version", "1.2")
    descriptor.write_text(DESCRIPTOR + "x-outcome: fails\n")

    said = drystone("deploy", str(descriptor))

    assert said.code == 1
    golden(GOLDEN / "deploy-failed.txt", said.out + said.err)


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("status", ["status"]),
        ("services", ["services"]),
        ("show", ["show", "orders"]),
        ("history", ["history", "orders"]),
        ("logs", ["logs", "orders", "-n", "2"]),
        ("logs-of-one", ["logs", "orders", "--group", "worker"]),
        ("rollback", ["rollback", "orders"]),
        ("destroy", ["destroy", "orders", "--yes", "orders"]),
    ],
)
def test_an_answer_reads_well_in_80_columns(
    drystone: Drystone, golden: Golden, name: str, words: list[str]
) -> None:
    said = drystone(*words)

    assert (said.code, said.err) == (0, "")
    assert max(map(len, said.out.splitlines())) <= 80
    golden(GOLDEN / f"{name}.txt", steady(said.out))


def test_a_plan_shows_changes_with_their_lines(
    drystone: Drystone, descriptor: Path, golden: Golden
) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: refused\n")
    said = drystone("plan", str(descriptor))

    assert said.code == 1, "a plan that would be refused is a failure"
    golden(GOLDEN / "plan.txt", said.out.replace(str(descriptor), "service.yaml"))


def test_a_plan_that_would_be_accepted_is_a_success(drystone: Drystone, descriptor: Path) -> None:
    assert drystone("plan", str(descriptor)).code == 0


def test_a_platform_that_is_not_ready_fails_the_status(
    drystone: Drystone, small: SmallPlatform
) -> None:
    small.problems = ["postgres: disk full"]

    said = drystone("status")

    assert said.code == 1
    assert "not ready" in said.out
    assert "postgres: disk full" in said.out


def test_every_page_of_services_and_history_is_read(drystone: Drystone, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "e"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(DESCRIPTOR.replace("orders", name))
        drystone("deploy", str(path))
    for _ in range(4):
        drystone("deploy", str(tmp_path / "a.yaml"))

    names = [service["service"] for service in document(drystone("services", "--json").out)]
    events = document(drystone("history", "a", "--json").out)
    newest = document(drystone("history", "a", "--json", "-n", "3").out)

    assert names == ["a", "b", "c", "d", "e"]
    assert [event["release"] for event in events] == [5, 4, 3, 2, 1]
    assert [event["release"] for event in newest] == [5, 4, 3]


def test_no_services_is_said_in_words(drystone: Drystone) -> None:
    assert "no services in prod" in drystone("services", "--env", "prod").out


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    "words", [["status"], ["services"], ["show", "orders"], ["history", "orders"]]
)
def test_json_is_one_document(drystone: Drystone, words: list[str]) -> None:
    said = drystone(*words, "--json")

    assert (said.code, said.err) == (0, "")
    assert isinstance(document(said.out), dict | list)


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    "words",
    [
        ["logs", "orders"],
        ["rollback", "orders"],
        ["exec", "orders", "--json", "--", "echo", "hello"],
    ],
)
def test_json_of_a_stream_is_one_object_per_line(drystone: Drystone, words: list[str]) -> None:
    said = drystone(*words) if "--json" in words else drystone(*words, "--json")

    assert (said.code, said.err) == (0, "")
    objects = [document(line) for line in said.out.splitlines()]
    assert len(objects) >= 2
    assert all(isinstance(item, dict) for item in objects)


def test_json_of_a_plan_is_what_the_platform_said(drystone: Drystone, descriptor: Path) -> None:
    plan = document(drystone("plan", str(descriptor), "--json").out)

    assert plan["service"] == "orders"
    assert [change["action"] for change in plan["changes"]] == ["add", "remove", "change"]


def test_a_failure_is_a_problem_document_for_machines_and_words_for_people(
    drystone: Drystone,
) -> None:
    said = drystone("show", "orders", "--json")

    problem = document(said.out)
    assert said.code == 1
    assert problem["type"] == "deployer.ServiceNotFound"
    assert problem["title"] == "No such service is deployed in this environment."
    assert problem["status"] == 404
    assert problem["detail"] == "orders is not deployed in dev"
    assert said.err == "error: orders is not deployed in dev\n"


def test_the_last_line_of_a_failed_stream_is_the_problem(
    drystone: Drystone, descriptor: Path
) -> None:
    descriptor.write_text(DESCRIPTOR + "x-outcome: fails\n")

    said = drystone("deploy", str(descriptor), "--json")

    *steps, problem = [document(line) for line in said.out.splitlines()]
    assert said.code == 1
    assert steps[-1]["state"] == "failed"
    assert problem["type"] == "deployer.DeployFailed"


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(("program", "code"), [("true", 0), ("false", 1), ("killed", 137)])
def test_exec_passes_output_and_exit_code_on(drystone: Drystone, program: str, code: int) -> None:
    said = drystone("exec", "orders", "--", program, "-n", "--home", "x  y")

    assert (said.code, said.out) == (code, "-n --home x  y\n")


@pytest.mark.usefixtures("deployed")
def test_the_environment_comes_from_the_option_or_the_homes_settings(
    drystone: Drystone, folder: Path
) -> None:
    assert "not deployed in prod" in drystone("show", "orders", "--env", "prod").err

    (folder / "settings.toml").write_text('default_environment = "staging"\n')

    assert "not deployed in staging" in drystone("show", "orders").err


@pytest.mark.usefixtures("deployed")
def test_a_wrong_name_destroys_nothing(drystone: Drystone) -> None:
    said = drystone("destroy", "orders", "--yes", "order")

    assert said.code == 1
    assert "nothing was changed" in said.err
    assert drystone("show", "orders").code == 0


@pytest.mark.usefixtures("deployed")
def test_a_destroy_that_nobody_can_confirm_is_misuse(drystone: Drystone) -> None:
    said = drystone("destroy", "orders")

    assert said.code == 2
    assert "--yes orders" in said.err
    assert drystone("show", "orders").code == 0


def test_data_goes_only_where_it_is_named(drystone: Drystone, descriptor: Path) -> None:
    descriptor.write_text(DESCRIPTOR + "resources: {db: {type: postgres}, old: {type: postgres}}\n")
    drystone("deploy", str(descriptor))

    one = drystone("destroy", "orders", "--yes", "orders", "--delete-data", "db")
    both = drystone(
        "destroy", "orders", "--yes", "orders", "--delete-data", "db", "--delete-data", "old"
    )

    assert one.code == 1
    assert "to delete their data: old" in one.err
    assert both.code == 0


def test_an_abort_without_an_operation_is_refused(drystone: Drystone) -> None:
    said = drystone("abort", "orders")

    assert (said.code, said.out) == (1, "")
    assert "no operation on orders" in said.err


def document(text: str) -> Any:
    return json.loads(text)
