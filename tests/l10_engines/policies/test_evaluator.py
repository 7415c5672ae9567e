"""Whatever becomes of the process that evaluates, each policy has an answer, and never a wrong one."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l10_engines.policies.errors import PolicyUnfit
from drystone.l10_engines.policies.evaluator import MOST_DOCUMENT, Answer, Evaluator
from drystone.l10_engines.policies.reading import Module
from l10_engines.policies.sample import policy

SLOW = "some a in input.xs\nsome b in input.xs\nsome c in input.xs\na + b + c == -1"
XS = msgspec.json.encode({"xs": list(range(3000)), "x": 1})
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('\0\n\t\\"u041'))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@pytest_asyncio.fixture(loop_scope="session")
async def own() -> AsyncIterator[Evaluator]:
    """One with a process of its own, which may be killed."""
    one = Evaluator(limit=timedelta(seconds=0.5), total=timedelta(seconds=20), memory=64 << 20)
    yield one
    await one.stop()


def found(answer: Answer) -> object:
    return msgspec.json.decode(answer.rules["deny"])


@pytest.mark.asyncio(loop_scope="session")
async def test_policies_answer_in_their_order(evaluator: Evaluator) -> None:
    modules = [policy("yes", "input.x == 1"), policy("no", "input.x == 2")]
    yes, no = await evaluator.judge(modules, b'{"x": 1}')
    assert (yes.policy, found(yes), no.policy, found(no)) == ("yes", [{"text": "t"}], "no", [])


@pytest.mark.asyncio(loop_scope="session")
@settings(max_examples=80, deadline=None)
@given(JSON)
async def test_a_policy_sees_the_document_as_it_is(evaluator: Evaluator, value: object) -> None:
    one = Module("e", "package drystone.e\n\nimport rego.v1\n\ndeny contains [input.v]\n")
    (answer,) = await evaluator.judge([one], msgspec.json.encode({"v": value}))
    assert (answer.problem or found(answer)) == [[value]]


@pytest.mark.asyncio(loop_scope="session")
async def test_one_policy_that_cannot_be_evaluated_leaves_the_others(evaluator: Evaluator) -> None:
    modules = [
        policy("a", "input.x == 1"),
        policy("recursive", "f(1) == 1", "f(x) := f(x)"),
        policy("torn", "x == 1", "x := 1 if input.x == 1\nx := 2 if input.x == 1"),
        policy("unreadable", "http.send({}) == 1"),
        Module("broken", policy("broken", "some x in input.xs\nx === 3").text),
        policy("z", "input.x == 1"),
    ]
    answers = {one.policy: one for one in await evaluator.judge(modules, XS)}
    assert found(answers["a"]) == found(answers["z"]) == [{"text": "t"}]
    assert "cannot be evaluated" in answers["recursive"].problem
    assert "must not produce multiple outputs" in answers["torn"].problem
    assert "'http.send' may not be called" in answers["unreadable"].problem
    assert "Invalid" in answers["broken"].problem
    assert all(not one.rules for one in answers.values() if one.problem)


@pytest.mark.asyncio(loop_scope="session")
async def test_mistakes_that_only_the_evaluator_finds_have_a_line(evaluator: Evaluator) -> None:
    with pytest.raises(PolicyUnfit, match=r"^p\.rego:7:1: .*Invalid"):
        await evaluator.check(policy("p", "some x in input.xs\nx === 3"))


@pytest.mark.asyncio(loop_scope="session")
async def test_one_that_takes_too_long_is_ended_alone(own: Evaluator) -> None:
    modules = [policy("a", "input.x == 1"), policy("slow", SLOW), policy("z", "input.x == 1")]
    a, slow, z = await own.judge(modules, XS)
    assert found(a) == found(z) == [{"text": "t"}]
    assert slow.problem == "it took longer than 0.5 s"


@pytest.mark.asyncio(loop_scope="session")
async def test_all_together_have_a_limit(own: Evaluator) -> None:
    own._total = timedelta(seconds=1.2)
    answers = await own.judge([policy(f"s{i}", SLOW) for i in range(20)], XS)
    assert [one.problem for one in answers if not one.problem] == []
    assert answers[-1].problem == "all policies together took longer than 1.2 s"


@pytest.mark.asyncio(loop_scope="session")
async def test_one_that_takes_all_memory_is_ended_alone(own: Evaluator) -> None:
    own._limit = timedelta(seconds=20)
    doubled = "\n".join(f's{i + 1} := concat("", [s{i}, s{i}])' for i in range(24))
    greedy = f"s0 := input.s\n{doubled}\ncount(s24) == 0"
    document = msgspec.json.encode({"x": 1, "s": "long" * 1000})
    a, bad, z = await own.judge(
        [policy("a", "input.x == 1"), policy("bad", greedy), policy("z", "input.x == 1")], document
    )
    assert found(a) == found(z) == [{"text": "t"}]
    assert bad.problem == "it used more than 64 MiB of memory"


@pytest.mark.asyncio(loop_scope="session")
async def test_a_process_that_is_killed_while_it_judges_is_asked_once_more(own: Evaluator) -> None:
    own._limit = timedelta(seconds=30)
    await own.judge([policy("a", "input.x == 1")], XS)
    asked = asyncio.ensure_future(own.judge([policy("slow", SLOW)], XS))
    killed: list[int] = []
    for _ in range(2):
        pid = await until_it_computes(own, killed)
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)
    (answer,) = await asked
    assert answer.problem == "the process that evaluates it ended, 2 times"
    (after,) = await own.judge([policy("a", "input.x == 1")], XS)
    assert found(after) == [{"text": "t"}]


@pytest.mark.asyncio(loop_scope="session")
async def test_a_process_that_was_killed_between_two_judgements_is_not_missed(
    own: Evaluator,
) -> None:
    for _ in range(3):
        (answer,) = await own.judge([policy("a", "input.x == 1")], XS)
        assert found(answer) == [{"text": "t"}]
        assert own.pid is not None
        os.kill(own.pid, signal.SIGKILL)


@pytest.mark.asyncio(loop_scope="session")
async def test_many_at_once_with_policies_that_change_get_their_own_answers(
    evaluator: Evaluator,
) -> None:
    async def one(number: int) -> object:
        modules = [policy("a", f"input.x == {number}"), policy(f"p{number % 7}", "true")]
        a, other = await evaluator.judge(modules, msgspec.json.encode({"x": number}))
        return found(a), other.policy

    told = await asyncio.gather(*(one(number) for number in range(60)))
    assert told == [([{"text": "t"}], f"p{number % 7}") for number in range(60)]


@pytest.mark.asyncio(loop_scope="session")
async def test_who_gives_up_waiting_leaves_no_answer_for_the_next(own: Evaluator) -> None:
    own._limit = timedelta(seconds=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await own.judge([policy("slow", SLOW)], XS)
    (answer,) = await own.judge([policy("a", "input.x == 1")], XS)
    assert (answer.policy, found(answer)) == ("a", [{"text": "t"}])


@pytest.mark.asyncio(loop_scope="session")
async def test_a_text_is_compared_as_it_is(evaluator: Evaluator) -> None:
    for text, literal in (
        ("\\u0041", r'"\\u0041"'),
        ('q"\\\n€', r'"q\"\\\n€"'),
        ("a\0b", r'"a\u0000b"'),
    ):
        (answer,) = await evaluator.judge(
            [policy("a", f"input.x == {literal}")], msgspec.json.encode({"x": text})
        )
        assert found(answer) == [{"text": "t"}]
    (answer,) = await evaluator.judge([policy("a", 'input.x == "A"')], rb'{"x": "\\u0041"}')
    assert found(answer) == []


@pytest.mark.asyncio(loop_scope="session")
async def test_a_document_that_is_too_large_is_a_problem_of_every_policy(
    evaluator: Evaluator,
) -> None:
    document = msgspec.json.encode({"x": "a" * MOST_DOCUMENT})
    (answer,) = await evaluator.judge([policy("a", "true")], document)
    assert f"{MOST_DOCUMENT} are the most" in answer.problem


def test_the_process_ends_with_the_one_who_asks() -> None:
    program = (
        "import asyncio, os\n"
        "from l10_engines.policies.test_evaluator import SLOW, XS, Evaluator, policy, timedelta\n"
        "async def main():\n"
        "    one = Evaluator(limit=timedelta(seconds=100), total=timedelta(seconds=100))\n"
        "    await one.judge([policy('a', 'true')], XS)\n"
        "    print(one.pid, flush=True)\n"
        "    await one.judge([policy('slow', SLOW)], XS)\n"
        "asyncio.run(main())\n"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert asker.stdout is not None
    handle = os.pidfd_open(int(asker.stdout.readline()))
    asker.kill()
    asker.wait()
    asker.stdout.close()
    ended = select.poll()
    ended.register(handle, select.POLLIN)
    assert ended.poll(10_000)
    os.close(handle)


async def until_it_computes(own: Evaluator, killed: list[int]) -> int:
    """Wait until another process than those that were killed has used some time."""
    async with asyncio.timeout(20):
        while True:
            await asyncio.sleep(0.02)
            pid = own.pid
            if pid is not None and pid not in killed and _ticks(pid) > 25:
                return pid


def _ticks(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])
    except (FileNotFoundError, ProcessLookupError):
        return 0
