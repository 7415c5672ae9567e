from __future__ import annotations

import abc
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.contract import Api, Context, call, make_cursor, read_cursor
from drystone.l00_kernel.contract.declaration import calls_of
from drystone.l00_kernel.contract.unknown import finder
from drystone.l00_kernel.errors import Invalid
from l00_kernel.contract.sample import Label, SecretsApi


def contract(method: Any, verb: Any = "GET", path: str = "/v1/x") -> type[Api]:
    return type("SampleApi", (Api,), {"name": "sample", "method": call(verb, path)(method)})


async def keyword(self: Any, ctx: Context, *, path: str) -> None: ...
async def no_context(self: Any, path: str) -> None: ...
async def positional(self: Any, ctx: Context, path: str) -> None: ...
async def untyped(self: Any, ctx: Context, *, path) -> None: ...  # type: ignore[no-untyped-def]
async def no_result(self: Any, ctx: Context): ...  # type: ignore[no-untyped-def]
async def optional(self: Any, ctx: Context, *, path: str | None) -> None: ...
async def defaulted(self: Any, ctx: Context, *, path: str = "a") -> None: ...
async def listed(self: Any, ctx: Context, *, path: list[str]) -> None: ...
async def ambiguous(self: Any, ctx: Context, *, path: int | None = 5) -> None: ...
def plain(self: Any, ctx: Context) -> None: ...
async def awaited(self: Any, ctx: Context) -> AsyncIterator[int]:
    raise AssertionError


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        (no_context, "/v1/{path}", "first argument of a call is ctx: Context"),
        (positional, "/v1/{path}", "path must be keyword-only and have a type"),
        (untyped, "/v1/{path}", "path must be keyword-only and have a type"),
        (no_result, "/v1", "the result has no type"),
        (optional, "/v1/{path}", "path stands in the path, so it is one required plain value"),
        (defaulted, "/v1/{path}", "path stands in the path"),
        (listed, "/v1/{path}", "path stands in the path"),
        (ambiguous, "/v1", "its default must be None"),
        (plain, "/v1", "a call is `async def"),
        (awaited, "/v1", "a call is `async def"),
        (keyword, "/v1/{other}", "the path names other, the method does not"),
        (keyword, "/v1/{path}/{path}", "names an argument twice"),
        (keyword, "v1", "is not a path of"),
        (keyword, "/v1/a{path}", "is not a path of"),
        (keyword, "/v1/{path:path}", "is not a path of"),
        (keyword, "/v1/ü", "is not a path of"),
    ],
)
def test_what_has_no_unambiguous_wire_form_is_refused(method: Any, path: str, words: str) -> None:
    with pytest.raises(TypeError, match=r"SampleApi\.method") as caught:
        calls_of(contract(method, path=path))
    assert words in str(caught.value)


def test_calls_stand_in_the_order_of_the_contract() -> None:
    names = [declared.id for declared in calls_of(SecretsApi)]
    assert names[:3] == ["secrets.read", "secrets.set", "secrets.write"]
    assert {declared.name for declared in calls_of(SecretsApi) if declared.streams} == {
        "watch",
        "rotate",
    }


def test_declaring_and_implementing_loads_neither_server_nor_client() -> None:
    program = (
        "import sys; from drystone.l00_kernel.contract import Api, Caller, Context, Page, call\n"
        "print(sorted({'starlette', 'httpx2', 'uvicorn', 'anyio'} & sys.modules.keys()))\n"
        "from drystone.l00_kernel.contract import connect\n"
        "print(sorted({'starlette', 'httpx2', 'asyncio'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["[]", "['asyncio']"]


def test_an_unknown_name_of_the_package_is_no_attribute() -> None:
    import drystone.l00_kernel.contract as package  # noqa: PLC0415 - the module itself is meant

    with pytest.raises(AttributeError, match="no attribute 'sevre'"):
        package.sevre  # type: ignore[attr-defined] # noqa: B018


@given(st.text() | st.integers() | st.lists(st.text()))
def test_a_cursor_reads_as_it_was_made(position: Any) -> None:
    try:
        cursor = make_cursor(position)
    except ValueError:  # text that is not Unicode, numbers beyond 64 bits
        return
    assert read_cursor(cursor, type(position)) == position
    assert cursor.isascii()


@given(st.text(max_size=30))
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(Invalid, match="start again without a cursor"):
        read_cursor(text, Position)


class Position(msgspec.Struct, frozen=True):
    """Where a page starts."""

    created: int
    id: str


class Leaf(msgspec.Struct, tag=True):
    """Ends a tree."""

    value: int = 0


class Node(msgspec.Struct, tag=True):
    """Holds trees."""

    inner: dict[str, list[Node | Leaf]] = {}
    pair: tuple[Label, int] | None = None


class TreesApi(Api):
    """Takes values that contain themselves."""

    name: ClassVar[str] = "trees"

    @call("POST", "/v1/trees")
    @abc.abstractmethod
    async def plant(self, ctx: Context, *, tree: Node, count: int = 1) -> None:
        """Take a tree."""


@pytest.mark.parametrize(
    ("tree", "unknown"),
    [
        ({"type": "Node"}, []),
        ({"type": "Node", "innner": {}}, ["$.tree.innner"]),
        ({"inner": {"a": [{"type": "Leaf", "value": 1}, {"type": "Node"}]}}, []),
        ({"inner": {"a": [{"type": "Leaf", "inner": {}}]}}, ["$.tree.inner.a[0].inner"]),
        (
            {"inner": {"a": [{"type": "Node", "inner": {"b": [{"type": "Leaf", "x": 1}]}}]}},
            ["$.tree.inner.a[0].inner.b[0].x"],
        ),
        ({"pair": [{"name": "a", "wait": 1}, 1]}, ["$.tree.pair[0].wait"]),
        ({"pair": None}, []),
    ],
)
def test_unknown_fields_are_found_at_any_depth(tree: Any, unknown: list[str]) -> None:
    [plant] = calls_of(TreesApi)
    search = finder(plant.others)
    assert search
    assert list(search({"tree": tree}, "$")) == unknown
