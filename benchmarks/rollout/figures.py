"""The figures of docs/explanation/progressive-rollout.md: ``python -m benchmarks.rollout.figures [FOLDER]`` draws them anew.

Every run in them has a seed of its own, so that they come out the same each time.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks.rollout.drawing import Chart, picture
from benchmarks.rollout.judges import Bets, Fisher, Judge, Kayenta, Threshold
from benchmarks.rollout.trials import EQUAL, SHARE, WORSE, Case, alarms, blast, user_alarms
from benchmarks.rollout.worlds import MINUTE, Steady

from drystone.l50_orchestrator.rollout import machine
from drystone.l50_orchestrator.rollout.looks import Look
from drystone.l50_orchestrator.rollout.machine import State
from drystone.l50_orchestrator.rollout.plan import ERRORS, Plan, Watch

FOLDER = Path(__file__).parents[2] / "docs/explanation/progressive-rollout"
RUNS = 400
PROVEN = math.log10(100)
HOUR = tuple((float(minute), f"{minute}" if minute else "minute 0") for minute in range(0, 61, 10))
POWERS = ((-2.0, "1/100"), (-1.0, "1/10"), (0.0, "1"), (1.0, "10"), (2.0, "100"), (3.0, "1,000"))


def looking() -> str:
    """Draw how often equal releases were told apart until then, by a test for one look and by bets."""
    case = EQUAL[1]
    chart = Chart(
        "Rollouts of a canary as good as stable that were stopped",
        (0, 60),
        (0, 0.1),
        HOUR,
        [(part / 100, f"{part} %") for part in (0, 2, 4, 6, 8, 10)],
    )
    for judge, kind, name in (
        (Fisher, "b", "Fisher's test at 1 %, at each minute"),
        (Bets, "a", "bets, at each minute"),
    ):
        found = alarms(case, judge, RUNS, 60)
        points = [(float(minute), found.within(minute)) for minute in range(61)]
        chart.stairs(points, f"{kind}")
        chart.word(59, points[-1][1] + 0.004, name, kind, "end")
    chart.line([(0, 0.01), (60, 0.01)], "c dash")
    chart.word(14, 0.0125, "promised: 1 %", "c")
    about = (
        "With a test made for one look, more and more good releases are stopped; with bets none is."
    )
    return picture([chart], about)


def money() -> str:
    """Draw the money of runs with equal releases, and of runs in which the canary alone has errors."""
    chart = Chart("What 1 has become", (0, 30), (-2, 3.2), HOUR[:4], POWERS)
    for run in range(25):
        chart.line(_money(EQUAL[1].world(run), 30), "c thin")
    for run in range(6):
        chart.line(_money(WORSE[0].world(run), 30), "b")
    chart.line([(0, PROVEN), (30, PROVEN)], "a dash")
    chart.word(0.3, PROVEN + 0.1, "proven bad", "a")
    chart.word(29.5, -1.8, "25 rollouts with 1 % errors on both sides", "c", "end")
    chart.word(14.5, 2.75, "6 with 0.5 % on the canary and none on stable", "b")
    about = "The money of bets on errors of the canary: it stays low where both are equal."
    return picture([chart], about)


def users() -> str:
    """Draw how often equal releases were told apart with few users who make most errors."""
    chart = Chart(
        "Rollouts of a canary as good as stable that were stopped",
        (0, 60),
        (0, 0.2),
        HOUR,
        [(part / 100, f"{part} %") for part in (0, 5, 10, 15, 20)],
    )
    both = user_alarms(RUNS, 60, 2000, 0.01, 1.0)
    for name, kind, word in (
        ("requests", "b", "each failed request counts"),
        ("users", "a", "each user's first error counts"),
    ):
        points = [(float(minute), both[name].within(minute)) for minute in range(61)]
        chart.stairs(points, kind)
        chart.word(59, points[-1][1] + 0.007, word, kind, "end")
    about = "Counted by requests, one broken account looks like a broken release."
    return picture([chart], about)


def outcomes() -> str:
    """Draw three rollouts by the default steps: proven bad, proven good, and neither."""
    cases = (
        ("proven bad: 0 → 2 % of 20/s", Case("bad", 20, 0.0, 0.02), 8),
        ("proven good: 1 % of 200/s", Case("good", 200, 0.01, 0.01), 8),
        ("quiet: 0.02 % of 2/s", Case("quiet", 2, 0.0002, 0.0002), 1),
    )
    charts: list[Chart] = []
    for place, (title, case, seed) in enumerate(cases):
        state = _rolled_out(case.world(seed))
        charts += [_share_of(state, title, place), _evidence_of(state, place)]
    charts[0].word(2.2, 0.85, "share of the canary", "d")
    charts[5].word(0.5, -0.75, "that it is worse", "b")
    charts[5].word(0.5, 0.3, "that it is not twice as bad", "a")
    about = "A bad canary is taken back, a good one goes up early, and a quiet one step by step."
    return picture(charts, about, 760, 310)


def _share_of(state: State, title: str, place: int) -> Chart:
    marks = ((0, "0 %"), (0.5, "50 %"), (1, "100 %"))
    upwards = [(value, word if not place else "") for value, word in marks]
    chart = Chart(title, (0, 16), (0, 1), [], upwards, (60 + place * 232, 44, 170, 84))
    turns = [(turn.at / timedelta(minutes=1), turn.share) for turn in state.turns]
    chart.stairs([*turns, (16.0, turns[-1][1])], "d")
    return chart


def _evidence_of(state: State, place: int) -> Chart:
    across = [(0.0, "0"), (5.0, "5"), (10.0, "10"), (15.0, "15 min")]
    upwards = [(power, word if not place else "") for power, word in POWERS if power in {-2, 0, 2}]
    chart = Chart("", (0, 16), (-2, 3), across, upwards, (60 + place * 232, 160, 170, 110))
    curve = state.evidence.curve
    for kind, values in (
        ("b", [point.evidence for point in curve]),
        ("a", [point.good for point in curve]),
    ):
        points = [
            (point.at / timedelta(minutes=1), value / math.log(10))
            for point, value in zip(curve, values, strict=True)
        ]
        chart.line([(0.0, 0.0), *points], kind)
    chart.line([(0, PROVEN), (16, PROVEN)], "b dash")
    chart.line([(0, math.log10(20)), (16, math.log10(20))], "a dash")
    return chart


def radius() -> str:
    """Draw how many requests fail until each judge takes a canary back."""
    judges: Sequence[tuple[str, str, Callable[[], Judge], float]] = (
        ("Drystone", "a", Bets, 5),
        ("below 99 %, 3 minutes", "c", Threshold, 60),
        ("Kayenta", "b", lambda: Kayenta(5), 60),
    )
    cases = (WORSE[0], WORSE[1], WORSE[3], WORSE[5])
    chart = Chart(
        "Failed requests on the canary until it is taken back, at most half an hour",
        (0, 4),
        (0, 5),
        [(at + 0.5, case.name.replace(" of ", ", ")) for at, case in enumerate(cases)],
        [(power, f"{10**power:,}") for power in range(1, 5)] + [(0, "1")],
    )
    for at, case in enumerate(cases):
        for place, (_, kind, judge, seconds) in enumerate(judges):
            failed, _ = blast(case, judge, 60, seconds)
            x, y = at + 0.25 + 0.25 * place, math.log10(max(1.0, failed))
            chart.bar(x, y, 30, kind)
            chart.word(x, y + 0.12, f"{failed:,.0f}", kind, "middle")
    for place, (name, kind, _, _) in enumerate(judges):
        chart.word(0.05 + 1.0 * place + 0.3 * (place > 1), 4.75, name, kind)
    about = "Fewer requests fail with bets than with thresholds or Kayenta's judge."
    return picture([chart], about)


def _money(world: Steady, minutes: int) -> list[tuple[float, float]]:
    judge = Bets()
    points = [(0.0, 0.0)]
    for minute in range(1, minutes + 1):
        judge.is_bad(minute * MINUTE, world.look(minute * MINUTE, MINUTE, SHARE))
        if judge.state.is_over and len(points) == minute + 1:
            break
        value = judge.state.evidence.curve[-1].evidence / math.log(10)
        points.append((float(minute), value))
        if judge.state.is_over:
            break
    return points


def _rolled_out(world: Steady) -> State:
    """Carry a rollout out by the default steps, with a look each 15 seconds, and counting requests."""
    state, at = machine.begin(Plan(watch=Watch(by="request"))), 0.0
    while not state.is_over:
        at += 15
        seen = world.look(at, 15, state.share)
        state = machine.looked(state, Look(at=timedelta(seconds=at), counts={ERRORS: seen}))
    return state


FIGURES: dict[str, Callable[[], str]] = {
    "looking": looking,
    "money": money,
    "users": users,
    "outcomes": outcomes,
    "radius": radius,
}


def draw(folder: Path) -> None:
    """Write all figures."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in FIGURES.items():
        (folder / f"{name}.svg").write_text(figure(), "utf-8")


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
