"""What people read when something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Golden
from drystone.l25_deployer.descriptor import Problem, read, render
from l25_deployer.descriptor.samples import HEAD, MINIMAL, ORDERS, damaged

HERE = Path(__file__).parent


def only(text: str) -> Problem:
    problems = read(text).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_forty_mistakes_are_found_in_one_run_and_shown_as_people_want_them(golden: Golden) -> None:
    text = (HERE / "bad.yaml").read_text()
    golden(HERE / "bad.txt", read(text, file="bad.yaml").report() + "\n")


def test_a_mistake_is_shown_with_line_caret_and_help() -> None:
    text = MINIMAL + "resources:\n  q: {type: queue, visibilty: 2m}\n"
    assert read(text, file="bad.sd.yml").report() == (
        "bad.sd.yml:6:20: unknown key 'visibilty' in resources.q\n"
        "    6 |   q: {type: queue, visibilty: 2m}\n"
        "      |                    ^^^^^^^^^\n"
        "      = help: did you mean 'visibility'?"
    )


def test_mistakes_come_in_the_order_of_the_file() -> None:
    problems = read((HERE / "bad.yaml").read_text()).problems
    places = [(problem.line, problem.column) for problem in problems]
    assert places == sorted(places)


def test_the_big_example_has_no_mistake() -> None:
    assert read(ORDERS).report() == ""


@pytest.mark.parametrize(
    ("old", "new", "message", "help_"),
    [
        ("tier: 1", "teir: 1", "unknown key 'teir'", "did you mean 'tier'?"),
        ("tier: 1", "labels: {a: b}", "unknown key 'labels'", "did you mean 'tags'?"),
        (
            "tier: 1",
            "tier: 1\nproxy: {auth: [staff]}",
            "unknown key 'auth' in proxy",
            "who may call, and so has to prove who it is, stands in network.ingress: callers, staff, groups, builds, public",
        ),
        (
            "type: keyvalue",
            "type: dynamo-db",
            "resources.carts: unknown resource type 'dynamo-db'",
            "did you mean 'keyvalue'?",
        ),
        (
            "port: 8080",
            "port: 80800",
            "port: expected a whole number from 1 to 65535, got 80800",
            None,
        ),
        (
            "memory: 512Mi",
            "memory: 512MB",
            "size.memory: expected a size such as 512Mi or 20Gi, got '512MB'",
            "did you mean '512Mi'?",
        ),
        (
            "timeout: 3s",
            "timeout: 3 seconds",
            "dependencies.billing.timeout: expected a duration such as 30s, 5m, 1h or 7d, got '3 seconds'",
            "did you mean '3s'?",
        ),
        (
            "timeout: 3s",
            "timeout: 3",
            "dependencies.billing.timeout: expected a duration such as 30s, 5m, 1h or 7d, got the number 3",
            "did you mean '3s'?",
        ),
        (
            "deepcheck: /deepcheck",
            "deepcheck: /../secret",
            "deepcheck: expected a path such as /healthcheck, got '/../secret'",
            None,
        ),
        (
            "point_in_time: true",
            "point_in_time: yes",
            "resources.db.backup.point_in_time: expected true or false, got 'yes'",
            "write true",
        ),
        (
            "needs: hard",
            "needs: Hard",
            "dependencies.billing.needs: 'Hard' is not one of: hard, soft",
            "did you mean 'hard'?",
        ),
        (
            "smoke: [GET /deepcheck]",
            "smoke: [/deepcheck]",
            "deploy.smoke[0]: expected a method and a path such as GET /orders, got '/deepcheck'",
            "did you mean 'GET /deepcheck'?",
        ),
        ("schema: 1", "schema: 2", "schema: '2' is not 1", None),
        ("schema: 1", 'schema: "1"', "schema: '1' is not 1", "remove the quotes"),
        (
            "description: Accepts",
            "description: |\n  a\x07b\n#",
            "a character stands here that YAML does not allow",
            None,
        ),
        (
            "rate: 5/s",
            "rate: 5 per second",
            "limits.reports.rate: expected a rate such as 100/s, got '5 per second'",
            "did you mean '5/s'?",
        ),
        (
            "to: outbox",
            "to: outbocks",
            "events.subscribes.payments.to: there is no queue 'outbocks'",
            "did you mean 'outbox'?",
        ),
        (
            "[buyer, ids], backup",
            "[byer, ids], backup",
            "resources.db.data: no data class is called 'byer'",
            "did you mean 'buyer'?",
        ),
        (
            "after: staging",
            "after: stagin",
            "environment 'prod': deploy.after: there is no environment 'stagin'",
            "did you mean 'staging'?",
        ),
        (
            "${resources.outbox.url}",
            "${resources.outbox.link}",
            "'${resources.outbox.link}': a resource of type queue has no 'link'",
            "it has url, name, arn, region",
        ),
        (
            "${dependencies.billing.url}",
            "${dependencies.biling.url}",
            "'${dependencies.biling.url}': there is no dependency 'biling'",
            "did you mean '${dependencies.billing.url}'?",
        ),
        (
            "${version}",
            "${port}",
            "image: '${port}' cannot be known here",
            "it is needed before anything runs; here work ${version}, ${environment}, ${region}, ${service} or ${build}",
        ),
        (
            "description: Accepts",
            "description: ${version} accepts",
            "description: a reference has no meaning here",
            "references work in image, command, env, migrate and setup; write '$${' for a plain '${'",
        ),
        (
            "image: registry",
            "embedded: drystone.x\nimage: registry",
            "'embedded' is for the platform's own services",
            "use exactly one of image, process or static",
        ),
        (
            "{needs: soft, without: mails wait in outbox}",
            "soft",
            "dependencies.mail: a soft dependency must say what happens without it",
            "write it as {needs: soft, without: mails wait}",
        ),
        (
            "{min: 1, max: 5,",
            "{min: 7, max: 5,",
            "workers.mailer.scale: max 5 is less than min 7",
            "write at least 7",
        ),
        (
            "db: {size: large",
            "db: {sise: large",
            "environment 'prod': unknown key 'sise' in resources.db",
            "did you mean 'size'?",
        ),
        (
            "staging: {scale: 2}",
            "staging: {scale: two}",
            "environment 'staging': scale.min: expected a whole number from 0 to 1000000, got 'two'",
            None,
        ),
    ],
)
def test_one_mistake_gives_one_message_that_says_what_to_do(
    old: str, new: str, message: str, help_: str | None
) -> None:
    problem = only(damaged(ORDERS, old, new))
    assert (problem.message, problem.help) == (message, help_)


def test_a_plain_text_for_a_command_is_answered_with_the_list() -> None:
    problem = only(HEAD + "process: {command: python -m orders --port 80}\n")
    assert problem.help == "write it as a list: [python, -m, orders, --port, 80]"


def test_two_ways_to_run_are_answered_with_both_lines() -> None:
    problem = only(MINIMAL + "static: dist\n")
    assert problem.line == 5
    assert (
        problem.message == "both 'process' (line 4) and 'static' say what to run; exactly one may"
    )


def test_no_way_to_run_is_said_once() -> None:
    assert only(HEAD).message == (
        "the descriptor says nowhere what to run: it needs exactly one of image, process or static"
    )


def test_a_value_written_elsewhere_in_other_platforms_is_shown_its_place() -> None:
    assert only(MINIMAL + "memory: 1Gi\n").help == "'memory' belongs under 'size'"


def test_a_resource_that_an_environment_removes_is_missed_where_it_is_used() -> None:
    text = MINIMAL + (
        "resources: {db: {type: postgres}}\nenv: {URL: '${resources.db.url}'}\n"
        "environments: {dev: {resources: {db: null}}}\n"
    )
    problem = only(text)
    assert problem.line == 6
    assert problem.message == "environment 'dev': '${resources.db.url}': there is no resource 'db'"
    assert problem.help == "line 7 removes it"


def test_a_key_that_an_environment_must_not_remove_is_shown_there() -> None:
    problem = only(MINIMAL + "environments:\n  dev: {owner: null}\n")
    assert problem.line == 6
    assert problem.message == "environment 'dev': 'owner' is removed, but it is needed"


def test_a_synonym_of_a_key_that_is_there_is_to_be_removed() -> None:
    assert only(MINIMAL + "name: orders\n").help == "'service' is there already; remove this one"


def test_the_health_of_a_worker_needs_a_port() -> None:
    problem = only(MINIMAL + "workers: {w: {command: [x], health: /up}}\n")
    assert problem.message == "workers.w: the health of a worker needs a port, since it serves none"


def test_the_platforms_own_descriptors_may_be_embedded() -> None:
    text = HEAD + "embedded: drystone.l40_messaging.events\n"
    assert read(text, embedded_allowed=True).report() == ""
    assert only(text).message == "'embedded' is for the platform's own services"


@pytest.mark.parametrize(
    "line", ["a: \t\x1b[2J", "ä" * 300 + ": [", "日本: {", "x: " + "y" * 5000 + " {: ", "\u202e: ["]
)
def test_what_is_shown_of_the_file_cannot_act_on_a_terminal(line: str) -> None:
    report = read(line + "\n").report()
    assert report
    assert all(char.isprintable() or char == "\n" for char in report)
    assert max(len(shown) for shown in report.split("\n")) < 250


def test_the_caret_stands_below_wide_characters() -> None:
    text = "日本: ]\n"
    problem = Problem(1, 5, 6, "here")
    _, source, caret = render(problem, text).split("\n")
    assert caret.index("^") == source.index("]") + 2


def test_two_dollars_stand_for_a_plain_dollar_and_brace_everywhere() -> None:
    reading = read(MINIMAL + "description: costs $${x} or $5\nenv: {A: 'costs $${x} or $5'}\n")
    assert reading.descriptor is not None
    assert reading.descriptor.description == "costs ${x} or $5"
    assert (
        reading.descriptor.env["A"] == "costs $${x} or $5"
    )  # a template is unescaped when it is filled in


GRPC = MINIMAL + "health: {grpc: true}\n"


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        (
            GRPC,
            "health is asked by gRPC at the service's port, where the edge speaks HTTP/1.1",
            "write 'proxy: {protocol: http2}', or give health a port of its own",
        ),
        (
            MINIMAL + "health: {service: shop.Orders}\n",
            "health: only the gRPC health protocol asks about a service",
            "write it as {grpc: true, service: shop.Orders}, or leave it out",
        ),
        (
            MINIMAL + "proxy: {app-protocol: http2}\n",
            "unknown key 'app-protocol' in proxy",
            "did you mean 'protocol'?",
        ),
        (
            MINIMAL + "proxy: {protocol: grpc}\n",
            "proxy.protocol: 'grpc' is not one of: http1, http2",
            None,
        ),
    ],
)
def test_a_protocol_that_cannot_be_is_told(text: str, message: str, help_: str | None) -> None:
    problem = only(text)
    assert problem.message == message
    assert help_ is None or problem.help == help_


def test_static_files_are_not_asked_by_another_protocol() -> None:
    problem = only(
        "schema: 1\nservice: pages\nowner: web\nstatic: site\nproxy: {protocol: http2}\n"
    )
    assert "speaks HTTP/1.1" in problem.message
    assert problem.line == 5


@pytest.mark.parametrize("more", ["proxy: {protocol: http2}\n", "", "proxy: {protocol: http1}\n"])
def test_health_by_grpc_needs_http2_or_a_port_of_its_own(more: str) -> None:
    health = "health: {grpc: true, service: shop.Orders}\n"
    if "http2" not in more:
        health = "health: {grpc: true, port: 9090}\n"
    assert read(MINIMAL + health + more).problems == ()
