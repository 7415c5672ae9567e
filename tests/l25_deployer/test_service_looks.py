"""What callers of the deployer see of services: pages, history, logs, commands, status."""

from __future__ import annotations

import asyncio
import os
import signal

import msgspec
import pytest

from drystone.l00_kernel.errors import Invalid
from drystone.l25_deployer.api import ExecOutput, LogRecord
from drystone.l25_deployer.errors import (
    ReleaseNotFound,
)
from l25_deployer.reached import Reached, all_of, at, shown
from l25_deployer.small_platform import (
    ASKING,
    ask,
    deploy,
    descriptor,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pages_of_services_follow_each_other_without_gaps(p: Reached) -> None:
    for name in ("page-a", "page-b", "page-c"):
        await deploy(p.api, descriptor(name), p.source)
    found, cursor = [], None
    while True:
        page = await p.api.services(ASKING, environment="dev", cursor=cursor, limit=2)
        assert len(page.items) <= 2
        found += [summary.service for summary in page.items]
        if (cursor := page.next) is None:
            break

    assert found == sorted(set(found))
    assert {"page-a", "page-b", "page-c"} <= set(found)
    assert (await p.api.services(ASKING, environment="nowhere")).items == []
    with pytest.raises(Invalid):
        await p.api.services(ASKING, cursor="made up")


async def test_pages_of_a_history_stay_in_place_while_it_grows(p: Reached) -> None:
    for _ in range(2):
        await deploy(p.api, descriptor("aged"), p.source)
    first = await p.api.history(ASKING, **at("aged"), limit=3)
    await deploy(p.api, descriptor("aged"), p.source)
    second = await p.api.history(ASKING, **at("aged"), limit=3, cursor=first.next)

    assert [(e.event, e.release) for e in [*first.items, *second.items]] == [
        ("deploy done", 2),
        ("deploy began", 2),
        ("deploy done", 1),
        ("deploy began", 1),
    ]
    assert second.next is None
    assert (first.items[0].version, first.items[0].seconds is None) == ("2", False)


async def test_logs_are_told_line_by_line_and_followed_into_the_next_release(p: Reached) -> None:
    await deploy(p.api, descriptor("wordy", more="env: {GREETING: one}"), p.source)

    past = await all_of(p.api.logs(ASKING, **at("wordy")))
    following = p.api.logs(ASKING, **at("wordy"), follow=True)
    assert await anext(following) == past[0] == LogRecord("wordy-dev-r1-web-0", 1, "serving one")
    await deploy(p.api, descriptor("wordy", more="env: {GREETING: two}"), p.source)
    async with asyncio.timeout(10):
        assert await anext(following) == LogRecord("wordy-dev-r2-web-0", 2, "serving two")
    await following.aclose()  # type: ignore[attr-defined]

    assert await all_of(p.api.logs(ASKING, **at("wordy"), release=1)) == past
    assert await all_of(p.api.logs(ASKING, **at("wordy"), group="digest")) == []
    assert await all_of(p.api.logs(ASKING, **at("wordy"), lines=0)) == []
    with pytest.raises(ReleaseNotFound):
        await all_of(p.api.logs(ASKING, **at("wordy"), release=9))


async def test_a_command_runs_with_the_settings_of_the_release(p: Reached) -> None:
    more = "resources: {notes: {type: volume}}\nenv: {GREETING: hi}"
    await deploy(p.api, descriptor("toolbox", more=more), p.source)
    script = 'echo "$GREETING $DRYSTONE_RELEASE"; ls; test -d "$NOTES_PATH"; echo ü >&2; exit 3'

    told = await all_of(p.api.execute(ASKING, **at("toolbox"), command=["sh", "-c", script]))

    assert told[-1] == ExecOutput(exit_code=3)
    text = "".join(output.text for output in told)
    assert text.startswith("hi 1\n")
    assert "server.py" in text
    assert text.endswith("ü\n")
    assert [path.name for path in (p.folder / "h/instances").glob("toolbox*once*")] == []


async def test_a_dead_instance_shows_until_it_is_back(p: Reached) -> None:
    await deploy(p.api, descriptor("phoenix"), p.source)
    (before,) = (await p.api.show(ASKING, **at("phoenix"))).instances
    assert before.pid is not None

    os.kill(before.pid, signal.SIGKILL)
    view = await shown(
        p,
        "phoenix",
        lambda v: v.instances[0].restarts and v.instances[0].state == "healthy",
        "a healthy successor",
    )
    (after,) = view.instances

    assert after.pid != before.pid
    assert after.last_exit == "was ended by SIGKILL (exit code 137)"
    assert (await ask(p.port, "phoenix.dev.localhost")).startswith(f"200 hello from {after.pid}")


async def test_the_status_names_the_engines_and_the_services(p: Reached) -> None:
    await deploy(p.api, descriptor("listed"), p.source)

    status = await p.api.status(ASKING)

    assert (status.ready, status.runtime, status.problems) == (True, "processes", [])
    assert status.url == f"http://localhost:{p.port}/"
    proxy = next(engine for engine in status.engines if engine.name == "proxy")
    assert proxy.state == "ready"
    assert "listed" in [summary.service for summary in status.services]
    steps = await all_of(p.api.startup(ASKING))
    assert [s.state for s in steps if s.name == "proxy"][-1] == "ready"
    assert not any(step.state == "failed" for step in steps)


async def test_a_database_is_there_for_its_service(p: Reached) -> None:
    more = "resources: {db: {type: postgres}}"
    told = await deploy(p.api, descriptor("stored", more=more), p.source)
    assert told[-1].step == "done"

    (resource,) = (await p.api.show(ASKING, **at("stored"))).resources
    told = await all_of(
        p.api.execute(ASKING, **at("stored"), command=["sh", "-c", "echo ${DB_URL%%:*}"])
    )

    assert (resource.name, resource.type, resource.engine) == ("db", "postgres", "postgres")
    assert told[0].text == "postgresql\n"
    password = (p.folder / "h/secrets/dev/stored/db/password").read_text()
    shown = msgspec.json.encode(await p.api.show(ASKING, **at("stored"))).decode()
    history = msgspec.json.encode(await p.api.history(ASKING, **at("stored"))).decode()
    assert password not in shown + history
    assert (p.folder / "h/secrets/dev/stored/db/password").stat().st_mode & 0o077 == 0
    await all_of(p.api.destroy(ASKING, **at("stored"), confirm=["db"]))
