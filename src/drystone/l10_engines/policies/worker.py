"""The process in which policies are evaluated; its standard input and output are a socket to the one who asks.

It holds nothing that could be lost and may be killed at any moment. It ends itself: by the kernel's timer when one policy computes
for too long (SIGPROF, setitimer(2)), because evaluating is one long call that nothing else can interrupt; when it wants more
memory than it may have; and when the one who asks is gone. The evaluator writes complaints to standard output, so what is said
goes through a copy of that descriptor, and the original leads nowhere.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import select
import signal
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import BinaryIO

import msgspec
import regopy  # type: ignore[import-untyped]
from regopy import rego_shared

from drystone.l10_engines.policies.wire import (
    LENGTH,
    TOO_LARGE,
    Compiled,
    Ended,
    Found,
    Judge,
    Load,
    Loaded,
    framed,
)
from drystone.l10_engines.processes.sacrifice import INSTANCE, offer

_LOOK_MS = 20
_SETS = 4
_SHARD = 50
"""Policies that one interpreter holds: asking it for one of them takes longer the more there are."""

_COMPLAINT = re.compile(r"\(error\s+(?:\d+:m(\d+)\|(\d+)\|\d+\s+)?\(errormsg (\d+):")


class _Shard:
    """Some policies in one interpreter.

    Raises:
        ValueError: They cannot be compiled; the message is the evaluator's.
    """

    def __init__(self, policies: Sequence[Loaded]) -> None:
        self.policies = {policy.name: policy for policy in policies}
        self._interpreter = regopy.Interpreter()
        # Otherwise a function that fails, or that does not exist, is undefined in silence.
        self._interpreter.strict_built_in_errors = True
        try:
            for number, policy in enumerate(policies):
                self._interpreter.add_module(f"m{number}", policy.text)
            wanted = [_entry(policy, rule) for policy in policies for rule in policy.rules]
            self._bundle = self._interpreter.build(None, wanted)
        except regopy.RegoError as e:
            raise ValueError(str(e)) from e
        if not self._bundle.ok():
            raise ValueError("it cannot be compiled")

    def put(self, document: regopy.Input) -> None:
        self._interpreter.set_input(document)

    def answer(self, policy: Loaded) -> Found:
        found = {}
        for rule in policy.rules:
            try:
                output = self._interpreter.query_bundle_entrypoint(
                    self._bundle, _entry(policy, rule)
                )
                found[rule] = _value(output)
            except (regopy.RegoError, ValueError, TypeError) as e:
                return Found(policy.name, problem=f"'{rule}' {_complaints(str(e))[0][1]}")
        return Found(policy.name, found)


class _Answer(msgspec.Struct):
    expressions: tuple[msgspec.Raw]


def _value(output: regopy.Output) -> msgspec.Raw:
    """Return what a rule holds.

    Raises:
        ValueError: It holds nothing that is an answer; the message says why.
    """
    text = str(output)
    if not output.ok():
        node = rego_shared.rego_output_node(output._impl)  # noqa: SLF001 - the package offers no other way to the reason
        told = rego_shared.rego_node_json(rego_shared.rego_node_get(node, 0))
        raise ValueError(told)
    if text == "undefined":
        raise ValueError("is undefined")
    return msgspec.json.decode(text, type=_Answer).expressions[0]


def _entry(policy: Loaded, rule: str) -> str:
    return f"drystone/{policy.package}/{rule}"


def _complaints(told: str, texts: Sequence[str] = ()) -> list[tuple[int, str]]:
    """Return line and sentence of each mistake that the evaluator tells in its own notation."""
    found = []
    for match in _COMPLAINT.finditer(told):
        sentence = told[match.end() : match.end() + int(match[3])]
        line = 0
        if match[1] is not None and int(match[1]) < len(texts):
            before = texts[int(match[1])].encode()[: int(match[2])]
            line = before.count(b"\n") + 1
        found.append((line, f"cannot be evaluated: {sentence}"))
    return found or [(0, told[:200] if told.startswith("is ") else "cannot be evaluated")]


def _written(value: object) -> object:
    r"""Return a value with its texts as JSON writes them between quotation marks.

    That is how the evaluator takes texts in: otherwise ``\u0041`` of a descriptor is an A to the policy, and a NUL ends it.
    """
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)[1:-1]
        case dict():
            return {_written(key): _written(one) for key, one in value.items()}
        case list():
            return [_written(one) for one in value]
        case _:
            return value


class _Worker:
    def __init__(self, out: BinaryIO, limit: float) -> None:
        self._out = out
        self._limit = limit
        self._sets: OrderedDict[str, list[_Shard]] = OrderedDict()

    def _say(self, message: msgspec.Struct) -> None:
        self._out.write(framed(message))
        self._out.flush()

    def load(self, asked: Load) -> None:
        shards: list[_Shard] = []
        problems: dict[str, list[tuple[int, str]]] = {}
        for start in range(0, len(asked.policies), _SHARD):
            self._add(asked.policies[start : start + _SHARD], shards, problems)
        self._sets[asked.set] = shards
        while len(self._sets) > _SETS:
            self._sets.popitem(last=False)
        self._say(Compiled(problems))

    def _add(
        self,
        policies: Sequence[Loaded],
        shards: list[_Shard],
        problems: dict[str, list[tuple[int, str]]],
    ) -> None:
        """Compile some together; each by itself where one of them does not let them."""
        signal.setitimer(signal.ITIMER_PROF, self._limit)
        try:
            shards.append(_Shard(policies))
        except ValueError as e:
            if len(policies) == 1:
                problems[policies[0].name] = _complaints(str(e), [policies[0].text])
                return
            for policy in policies:
                self._add([policy], shards, problems)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def judge(self, asked: Judge) -> None:
        shards = self._sets.get(asked.set)
        if shards is None:
            self._say(Ended(is_known=False))
            return
        self._sets.move_to_end(asked.set)
        signal.setitimer(signal.ITIMER_PROF, self._limit)
        document = regopy.Input(_written(msgspec.json.decode(asked.document)))
        left = set(asked.names)
        for shard in shards:
            names = [name for name in shard.policies if name in left]
            if names:
                signal.setitimer(signal.ITIMER_PROF, self._limit)
                shard.put(document)
            for name in names:
                signal.setitimer(signal.ITIMER_PROF, self._limit)
                self._say(shard.answer(shard.policies[name]))
                left.discard(name)
        signal.setitimer(signal.ITIMER_PROF, 0)
        self._say(Ended())


def _watch(gone: int, most: int) -> None:
    """End with the one who asks, or at too much memory, whatever is being evaluated.

    The evaluator's allocator reserves 256 GB of addresses, so that no limit of the kernel on a process tells what it uses.
    """
    page = resource.getpagesize()
    watched = select.poll()
    watched.register(gone)
    while not watched.poll(_LOOK_MS):
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - twenty times a second
            if int(file.read().split()[1]) * page > most:
                os._exit(TOO_LARGE)
    os._exit(0)


def main() -> None:
    """Answer until the one who asks is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--limit", type=float, required=True, help="seconds of processor time for one policy"
    )
    parser.add_argument("--memory", type=int, required=True, help="bytes that it may use")
    parser.add_argument("--lifeline", type=int, required=True, help="descriptor of a pipe")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    offer(INSTANCE)
    threading.Thread(target=_watch, args=(given.lifeline, given.memory), daemon=True).start()
    out = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    worker = _Worker(out, given.limit)
    decoder = msgspec.json.Decoder(Load | Judge)
    while head := sys.stdin.buffer.read(LENGTH.size):
        match decoder.decode(sys.stdin.buffer.read(LENGTH.unpack(head)[0])):
            case Load() as asked:
                worker.load(asked)
            case Judge() as asked:
                worker.judge(asked)


if __name__ == "__main__":
    main()
