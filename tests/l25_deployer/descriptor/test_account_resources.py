"""What queues, topics and streams cannot be is said with the file, before anything is asked of an engine."""

from __future__ import annotations

import pytest

from drystone.l25_deployer.descriptor import read

HEAD = "schema: 1\nservice: a\nowner: b\nprocess: {command: [c]}\nresources:\n"


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ("{type: queue, visibility: 13h}", "a message can be worked on for 12h at most"),
        ("{type: queue, retain: 30s}", "a message waits 1m to 14d"),
        ("{type: queue, retain: 15d}", "a message waits 1m to 14d"),
        ("{type: queue, delay: 16m}", "a message can be held back for 15m at most"),
        ("{type: queue, attempts: 1001}", "a message is given out 1000 times at most"),
        ("{type: stream, retain: 1h}", "records are kept 1d to 365d"),
        ("{type: stream, shards: 501}", "a stream has 500 shards at most"),
        ("{type: topic, to: [nobody]}", "there is no queue 'nobody'"),
        (
            "{type: topic, to: [ordered]}",
            "a topic that keeps no order cannot pass on to a queue that does",
        ),
        ("{type: function, runtime: python, handler: run}", "a file and what is called in it"),
        (
            "{type: function, runtime: python, handler: a.b, timeout: 16m}",
            "a call may take 1s to 15m",
        ),
        ("{type: function, runtime: python, handler: a.b, memory: 1Mi}", "a call may use 32Mi"),
        ("{type: function, runtime: python, handler: a.b, concurrency: 101}", "100 calls run"),
        ("{type: function, runtime: python, handler: a.b, on: {x: {queue: no}}}", "no queue 'no'"),
        (
            "{type: function, runtime: python, handler: a.b, on: {x: {stream: no}}}",
            "no stream 'no'",
        ),
        (
            "{type: function, runtime: python, handler: a.b, on: {x: {queue: ordered, batch: 11}}}",
            "a queue gives out 10 messages at once at most",
        ),
        (
            "{type: function, runtime: python, handler: a.b, on: {x: {every: 1ms}}}",
            "a function is called once a second at most",
        ),
        ("{type: batch-job, command: []}", "the command is empty"),
        ("{type: batch-job, command: [a, '${version}']}", "a reference has no meaning here"),
        ("{type: batch-job, command: [a], retries: 11}", "tried again 10 times at most"),
        ("{type: batch-job, command: [a], parallel: 101}", "100 runs run at once at most"),
        ("{type: batch-job, command: [a], keep: 1001}", "1000 runs are remembered at most"),
        ("{type: batch-job, command: [a], timeout: 10ms}", "an attempt takes 1s at least"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(resource: str, message: str) -> None:
    reading = read(f"{HEAD}  it: {resource}\n  ordered: {{type: queue, fifo: true}}\n")
    assert [message in problem.message for problem in reading.problems] == [True]
    assert [problem.line for problem in reading.problems] == [6]


@pytest.mark.parametrize(
    "resource",
    [
        "{type: queue, visibility: 12h, retain: 14d, delay: 15m, attempts: 1000}",
        "{type: queue, visibility: 0s, retain: 1m, delay: 0s, attempts: 1}",
        "{type: stream, retain: 365d, shards: 500}",
        "{type: topic, fifo: true, to: [ordered]}",
        "{type: function, runtime: python, handler: a.b, timeout: 15m, memory: 10Gi, concurrency: 100}",
        "{type: function, runtime: python, handler: a.b, on: {x: {queue: ordered, batch: 10}}}",
    ],
)
def test_the_bounds_themselves_can_be(resource: str) -> None:
    reading = read(f"{HEAD}  it: {resource}\n  ordered: {{type: queue, fifo: true}}\n")
    assert reading.report() == ""


def test_a_message_is_not_given_out_again_while_a_function_works_on_it() -> None:
    function = (
        "{type: function, runtime: python, handler: a.b, timeout: 31s, on: {x: {queue: jobs}}}"
    )
    reading = read(f"{HEAD}  it: {function}\n  jobs: {{type: queue, visibility: 30s}}\n")
    assert (
        "'jobs' gives a message out again after 30 s, while 'it' may work on it for 31 s"
        in reading.report()
    )
