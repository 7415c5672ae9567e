"""Functions in JavaScript and TypeScript, where something here runs them; and what is said where nothing does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from drystone.l00_kernel.home import Home
from drystone.l10_engines.aws.access import AccountAccess
from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local.functions.errors import CallRefused
from drystone.l25_deployer.local.functions.languages import Language, interpreter_of
from drystone.testing.conformance.aws import asked, client
from l25_deployer.small_platform import (
    deploy,
    descriptor,
    embedded,
    folder_of,
    settings,
    short_folder,
)

SCRIPTS = {
    "app.mjs": """
export const add = async (event, context) => {
  console.log("adding", event);
  return { sum: event.a + event.b, name: context.functionName, told: process.env.TOLD };
};
export const fail = () => { throw new RangeError("as asked"); };
export const back = (event, context, callback) => { setTimeout(() => callback(null, "later"), 1); };
export const hang = () => { for (;;) {} };
""",
    "old.js": "exports.run = (event) => event.length;\n",
    "typed.ts": "export const run = (event: { n: number }): number => event.n + 1;\n",
}
BLOCK = "  {name}: {{type: function, runtime: {language}, handler: {handler}, timeout: 2s, protect: false}}\n"


def runs(language: Language) -> bool:
    """Tell whether something here runs a language."""
    try:
        interpreter_of(None, language, 64 * 1024**2)  # type: ignore[arg-type]  # the release tells of Python alone
    except CallRefused:
        return False
    return True


def text(**handlers: tuple[Language, str]) -> str:
    """Write a descriptor with functions."""
    blocks = "".join(
        BLOCK.format(name=name, language=language, handler=handler)
        for name, (language, handler) in handlers.items()
    )
    return descriptor(more=f"env: {{TOLD: so}}\nresources:\n{blocks}")


@pytest.mark.slow
@pytest.mark.skipif(not runs("javascript"), reason="nothing here runs JavaScript")
async def test_functions_in_javascript_answer_as_those_in_python() -> None:
    handlers: dict[str, tuple[Language, str]] = {
        name: ("javascript", f"app.{name}") for name in ("add", "fail", "back", "hang")
    }
    handlers["old"] = ("javascript", "old.run")
    if runs("typescript"):
        handlers["typed"] = ("typescript", "typed.run")
    with short_folder() as folder:
        home = Home(folder / "h")
        source = folder_of(folder / "s", SCRIPTS)
        async with embedded(folder / "h", settings(home)) as whole:
            await deploy(whole.deployer, text(**handlers), source)
            values = whole.services.existing("dev", "greeter")._values
            found = {
                key: values["resources", "add", key]
                for key in ("endpoint", "access_key", "secret_key")
            }
            access = AccountAccess(**found, account="")
            made = await call(access, "add", {"a": 1, "b": 2})
            assert made == {"sum": 3, "name": "add", "told": "so"}
            made = await call(access, "fail", None)
            assert (made["errorType"], made["errorMessage"]) == ("RangeError", "as asked")
            assert await call(access, "back", None) == "later"
            assert (await call(access, "hang", None))["errorType"] == "Sandbox.Timedout"
            assert await call(access, "old", [1, 2]) == 2
            if "typed" in handlers:
                assert await call(access, "typed", {"n": 1}) == 2
            _ = [s async for s in whole.platform.stop()]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("javascript", "install Node or Deno, or the platform"),
        ("typescript", "install Deno, or the"),
    ],
)
def test_it_is_said_what_to_install_where_nothing_runs_a_language(
    language: Language, words: str
) -> None:
    with pytest.raises(CallRefused, match=words):
        interpreter_of(None, language, 64 * 1024**2, path="/nowhere")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.skipif(runs("typescript"), reason="something here runs TypeScript")
async def test_a_function_that_nothing_runs_fails_its_deploy() -> None:
    with short_folder() as folder:
        home = Home(folder / "h")
        source = folder_of(folder / "s", SCRIPTS)
        async with embedded(folder / "h", settings(home)) as whole:
            with pytest.raises(DeployFailed, match=r"nothing on this machine runs typescript"):
                await deploy(whole.deployer, text(typed=("typescript", "typed.run")), source)
            _ = [s async for s in whole.platform.stop()]


async def call(access: AccountAccess, name: str, event: object) -> Any:
    made = await asked(
        client(access, "lambda").invoke, FunctionName=name, Payload=json.dumps(event).encode()
    )
    return json.loads(await asyncio.to_thread(made["Payload"].read))
