"""Functions of a service, called by the public client of Lambda."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from drystone.l10_engines.aws.server import AwsStandIn
from drystone.testing.conformance.aws import QUEUE, asked, client, refusal
from l25_deployer.local.functions.conftest import Works, http
from l25_deployer.small_platform import until

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def call(works: Works, name: str, event: object, **more: Any) -> dict[str, Any]:
    made = await asked(
        works.functions.invoke, FunctionName=name, Payload=json.dumps(event).encode(), **more
    )
    payload = await asyncio.to_thread(made["Payload"].read)
    return {**made, "said": json.loads(payload) if payload else None}


async def test_a_function_answers_with_the_settings_of_its_service(works: Works) -> None:
    made = await call(works, "greet", {"a": "ä"}, LogType="Tail")
    assert made["StatusCode"] == 200
    assert "FunctionError" not in made
    assert made["said"]["hello"] == {"a": "ä"}
    assert (made["said"]["told"], made["said"]["queue"]) == ("to-the-function", "jobs")
    assert made["said"]["release"] == "1"
    assert made["said"]["id"] == made["ResponseMetadata"]["RequestId"]
    assert 0 < made["said"]["left"] <= 5000
    log = base64.b64decode(made["LogResult"]).decode()
    assert "greeting {'a': 'ä'}" in log
    again = await call(works, "greet", None)
    assert again["said"]["pid"] == made["said"]["pid"], "the process was not kept warm"
    assert again["said"]["hello"] is None


@pytest.mark.parametrize(
    ("do", "kind", "words"),
    [
        ("raise", "ValueError", "as asked"),
        ("sleep", "Sandbox.Timedout", "Task timed out after 1.00 seconds"),
        ("exit", "Runtime.ExitError", "exit code 7"),
        ("kill", "Runtime.ExitError", "SIGKILL"),
        ("huge", "Function.ResponseSizeTooLarge", "6291456 at most"),
        ("object", "TypeError", "not JSON serializable"),
    ],
)
async def test_what_goes_wrong_in_a_function_is_said_and_the_next_call_works(
    works: Works, do: str, kind: str, words: str
) -> None:
    made = await call(works, "wild", {"do": do})
    assert (made["StatusCode"], made["FunctionError"]) == (200, "Unhandled")
    assert made["said"]["errorType"] == kind
    assert words in made["said"]["errorMessage"]
    assert (await call(works, "wild", {"do": "pid"}))["said"] > 0


async def test_a_handler_that_is_not_there_is_said_at_each_call(works: Works) -> None:
    for _ in range(2):
        made = await call(works, "lost", {})
        assert made["FunctionError"] == "Unhandled"
        assert made["said"]["errorType"] == "AttributeError"


async def test_the_log_that_is_asked_for_is_the_end_of_what_was_written(works: Works) -> None:
    made = await call(works, "wild", {"do": "print"}, LogType="Tail")
    log = base64.b64decode(made["LogResult"])
    assert len(log) == 4096
    assert b"zzz!END " in log.replace(b"\n", b"")


async def test_no_more_calls_run_at_once_than_may(works: Works) -> None:
    busy = asyncio.create_task(call(works, "wild", {"do": "sleep"}))
    functions = works.whole.computing.functions
    await until(
        lambda: any(pool.is_busy for pool in functions.pools("dev", "funny", "wild")), "a call"
    )
    assert await refusal(works.functions.invoke, FunctionName="wild") == "TooManyRequestsException"
    await busy
    assert (await call(works, "wild", {"do": "pid"}))["said"] > 0


async def test_two_calls_of_one_function_run_in_two_processes(works: Works) -> None:
    made = await asyncio.gather(*(call(works, "greet", {"n": n}) for n in range(2)))
    assert [one["said"]["hello"]["n"] for one in made] == [0, 1]


async def test_functions_are_listed_and_told(works: Works) -> None:
    listed = await asked(works.functions.list_functions)
    assert [one["FunctionName"] for one in listed["Functions"]] == [
        "eat",
        "follow",
        "greet",
        "lost",
        "tick",
        "wild",
    ]
    told = (await asked(works.functions.get_function, FunctionName="wild"))["Configuration"]
    assert (told["Timeout"], told["MemorySize"], told["Handler"]) == (1, 64, "lib.wild.run")
    arn = told["FunctionArn"]
    assert (await call(works, arn, {"do": "pid"}))["said"] > 0
    asked_again = works.functions.get_function_configuration
    assert (await asked(asked_again, FunctionName=f"{arn}:$LATEST"))["FunctionArn"] == arn
    other = arn.replace(arn.split(":")[4], "999999999999")
    for name in ("nothing", other, f"{arn}:7"):
        code = await refusal(works.functions.get_function, FunctionName=name)
        assert code == "ResourceNotFoundException"


async def test_what_is_not_offered_or_no_call_is_refused(works: Works) -> None:
    delete = works.functions.delete_function
    assert await refusal(delete, FunctionName="greet") == "AccessDeniedException"
    invoke = works.functions.invoke
    assert (
        await refusal(invoke, FunctionName="greet", Payload=b"{no json")
        == "InvalidRequestContentException"
    )
    long = json.dumps("x" * 6 * 1024 * 1024).encode()
    code = await refusal(invoke, FunctionName="greet", Payload=long)
    assert code == "InvalidRequestContentException"
    event = json.dumps("x" * 256 * 1024).encode()
    code = await refusal(invoke, FunctionName="greet", Payload=event, InvocationType="Event")
    assert code == "InvalidRequestContentException"
    dry = await asked(invoke, FunctionName="greet", InvocationType="DryRun")
    assert dry["StatusCode"] == 204


async def test_a_key_of_another_service_opens_no_function(works: Works) -> None:
    engine = works.whole.supervisor["aws"]
    assert isinstance(engine, AwsStandIn)
    access, _ = await engine.declare("dev.stranger", "calls", QUEUE)
    stranger = client(access, "lambda")
    assert await refusal(stranger.invoke, FunctionName="greet") == "ResourceNotFoundException"
    arn = (await asked(works.functions.get_function, FunctionName="greet"))["Configuration"]
    assert (
        await refusal(stranger.invoke, FunctionName=arn["FunctionArn"])
        == "ResourceNotFoundException"
    )


async def test_a_call_that_nobody_waits_for_is_made(works: Works) -> None:
    event = {"Records": [{"body": "by-event", "messageId": "1"}]}
    made = await call(works, "eat", event, InvocationType="Event")
    assert (made["StatusCode"], made["said"]) == (202, None)
    await until(lambda: "by-event" in works.eaten_lines(), "the call")


async def test_messages_of_a_queue_call_a_function_and_bad_ones_become_dead_letters(
    works: Works,
) -> None:
    jobs = (await asked(works.queues.get_queue_url, QueueName="jobs"))["QueueUrl"]
    for body in ("one", "bad", "two"):
        await asked(works.queues.send_message, QueueUrl=jobs, MessageBody=body)
    letters = (await asked(works.queues.get_queue_url, QueueName="jobs_dead_letters"))["QueueUrl"]
    dead: list[str] = []
    async with asyncio.timeout(30):
        while not dead:
            got = await asked(works.queues.receive_message, QueueUrl=letters, WaitTimeSeconds=5)
            dead = [one["Body"] for one in got.get("Messages", ())]
    assert dead == ["bad"]
    lines = works.eaten_lines()
    assert [lines.count(body) for body in ("one", "two", "bad")] == [1, 1, 2]


async def test_a_url_is_answered_to_whoever_has_it_alone(works: Works) -> None:
    url = works.url("greet")
    status, _, body = await http("POST", f"{url}a%20b/c?x=1&x=2", b"hi", "text/plain")
    assert status == 200
    event = json.loads(body)["hello"]
    assert (event["version"], event["rawPath"], event["body"]) == ("2.0", "/a b/c", "hi")
    assert event["queryStringParameters"] == {"x": "1,2"}
    assert event["requestContext"]["http"]["method"] == "POST"
    proof = url.rstrip("/").rpartition("/")[2]
    for wrong in (
        url.replace(proof, proof[::-1]),
        url.replace("/greet/", "/wild/"),
        url.replace(proof, ""),
    ):
        status, _, body = await http("GET", wrong)
        assert status == 403
        assert b"no function has this URL" in body
    status, _, body = await http("GET", works.url("lost"))
    assert (status, body) == (502, b"Internal Server Error")


async def test_records_of_a_stream_come_in_order_and_again_until_they_are_finished(
    works: Works,
) -> None:
    for key, sent in (("a", ("1", "twice", "2", "3")), ("b", ("4", "thrice", "5"))):
        for text in sent:
            await asked(
                works.streams.put_record, StreamName="clicks", PartitionKey=key, Data=text.encode()
            )
    await until(
        lambda: {"3", "5"} <= {line.split()[1] for line in works.beside("clicks")},
        "the last records",
        within=30,
    )
    lines = works.beside("clicks")
    texts = [line.split()[1] for line in lines]
    assert [texts.count(text) for text in ("1", "twice", "2", "3", "thrice", "5")] == [
        1,
        2,
        1,
        1,
        3,
        1,
    ]
    firsts = list(dict.fromkeys(texts))
    for said in ("1 twice 2 3", "4 thrice 5"):
        assert [text for text in firsts if text in said.split()] == said.split()


async def test_a_function_is_called_by_the_clock(works: Works) -> None:
    await until(lambda: len(works.beside("ticks")) >= 2, "two ticks", within=30)
    assert len(set(works.beside("ticks"))) == len(works.beside("ticks"))
