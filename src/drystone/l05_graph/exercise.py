"""Exercises that people play: a facilitator leads through a recovery, step by step.

The state is a value that can be written down and read again. Each step is an action on it and gives the next state; all
actions are kept, so that undoing is playing the others again, and a log of an exercise can be played later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

import msgspec

from drystone.l00_kernel.errors import Conflict
from drystone.l05_graph.disaster import (
    NOTHING,
    Disaster,
    Discovery,
    Event,
    FailsAgain,
    PeopleChange,
    TakesLonger,
    check_event,
)
from drystone.l05_graph.errors import ComponentNotFound
from drystone.l05_graph.exercise_state import (
    Action,
    Advance,
    Begin,
    Done,
    Entry,
    Exercise,
    Failed,
    Inject,
    Startable,
    Task,
)
from drystone.l05_graph.model import Model, unknown
from drystone.l05_graph.rehearsal_plan import Plan


class NotNow(Conflict):
    """The exercise is in a state that does not allow this step."""


class OtherModel(Conflict):
    """The exercise was begun with another model."""


class Facilitator:
    """Leads exercises with one model and disaster.

    Args:
        model: The components.
        disaster: What is lost.

    Raises:
        ModelInvalid: They do not fit together.
    """

    def __init__(self, model: Model, disaster: Disaster) -> None:
        self._plan = Plan(model, disaster)
        self._model = model
        self._names = self._plan.needs.names

    @property
    def names(self) -> Sequence[str]:
        """The components, in the order of the model."""
        return self._names

    def begin(self) -> Exercise:
        """Return the exercise before its first step."""
        there = zip(self._names, self._plan.lost, strict=True)
        return Exercise(
            model=self._model.digest,
            disaster=self._plan.disaster,
            placed=frozenset(name for name, gone in there if not gone),
            people={crew.name: crew.people for crew in self._plan.crews},
            pending=_in_time(self._plan.disaster.events),
        )

    def step(self, state: Exercise, action: Action) -> Exercise:
        """Return the state after an action.

        Raises:
            NotNow: It cannot be done in this state; the message says why.
            OtherModel: The exercise was begun with another model or disaster.
            ComponentNotFound: It names a component that is not there.
        """
        if state.model != self._model.digest or state.disaster != self._plan.disaster:
            raise OtherModel(
                "the exercise was begun with another model or disaster; lead it with the same ones"
            )
        after = self._stepped(state, action)
        return msgspec.structs.replace(after, actions=(*state.actions, action))

    def undo(self, state: Exercise) -> Exercise:
        """Return the state before the last action.

        Raises:
            NotNow: There was none.
        """
        if not state.actions:
            raise NotNow("there is no step to undo")
        return self.replay(state.actions[:-1])

    def replay(self, actions: Iterable[Action]) -> Exercise:
        """Return the state after these actions, from the begin."""
        state = self.begin()
        for action in actions:
            state = self.step(state, action)
        return state

    def serving(self, state: Exercise) -> frozenset[str]:
        """Return what serves now."""
        flags = self._serving(state)
        return frozenset(name for name, serves in zip(self._names, flags, strict=True) if serves)

    def startable(self, state: Exercise) -> tuple[Startable, ...]:
        """Return what work could begin on now: first what is done in the ordinary way, the most urgent first."""
        serving, busy = self._serving(state), {task.component for task in state.tasks}
        found = []
        for one, name in enumerate(self._names):
            if name in state.placed or name in busy:
                continue
            is_ready = self._is_ready(one, state, serving)
            if not is_ready and self._plan.glass[one] is None:
                continue
            crew = self._plan.crew[one]
            moment = int(state.now.total_seconds())
            ends = self._plan.times[crew].end(
                self._plan.times[crew].next(moment), self._work(one, state, serving, not is_ready)
            )
            found.append(
                Startable(
                    component=name,
                    crew=self._plan.crews[crew].name,
                    is_free=self._why_nobody(crew, state) is None,
                    takes=timedelta(seconds=ends) - state.now,
                    by_hand=not is_ready,
                    urgency=timedelta(seconds=self._plan.urgency[one]),
                )
            )
        return tuple(sorted(found, key=lambda s: (s.by_hand, -s.urgency, s.component)))

    # Steps.

    def _stepped(self, state: Exercise, action: Action) -> Exercise:
        match action:
            case Advance():
                return self._advanced(state, action.by)
            case Begin():
                return self._begun(state, action.component, by_hand=action.by_hand)
            case Inject():
                check_event(self._model, self._plan.disaster, action.event)
                event = msgspec.structs.replace(action.event, at=action.event.at + state.now)
                if event.at > state.now:
                    return msgspec.structs.replace(state, pending=_in_time([*state.pending, event]))
                return self._happened(state, event)
            case Done():
                self._number(action.component)
                if action.component in state.placed:
                    raise NotNow(f"{action.component} is in place already")
                return self._in_place(state, action.component, "is in place")
            case Failed():
                self._number(action.component)
                return self._lost(state, action.component)

    def _advanced(self, state: Exercise, by: timedelta | None) -> Exercise:
        if by is None:
            coming = self._next(state)
            if coming is None:
                raise NotNow("nothing goes on and nothing is planned; begin work on something")
            until = coming
        elif by < NOTHING:
            raise NotNow("time does not run backwards; undo a step instead")
        else:
            until = state.now + by
        while (moment := self._next(state)) is not None and moment <= until:
            state = msgspec.structs.replace(state, now=moment)
            for task in [task for task in state.tasks if task.ends <= moment]:
                state = self._in_place(state, task.component, f"is in place, by {task.crew}")
            for event in [event for event in state.pending if event.at <= moment]:
                left = tuple(one for one in state.pending if one is not event)
                state = self._happened(msgspec.structs.replace(state, pending=left), event)
        return msgspec.structs.replace(state, now=until)

    def _next(self, state: Exercise) -> timedelta | None:
        moments = [*(task.ends for task in state.tasks), *(event.at for event in state.pending)]
        return min(moments, default=None)

    def _begun(self, state: Exercise, name: str, *, by_hand: bool) -> Exercise:
        one, serving = self._number(name), self._serving(state)
        if name in state.placed or any(task.component == name for task in state.tasks):
            raise NotNow(f"{name} is in place already, or somebody works on it")
        if by_hand and self._plan.glass[one] is None:
            raise NotNow(f"{name} has no break-glass step; bring up what it needs first")
        if not by_hand and not self._is_ready(one, state, serving):
            raise NotNow(
                f"{name} needs {', '.join(self._missing(one, state, serving))} before it can be brought into place"
            )
        crew = self._plan.crew[one]
        why = self._why_nobody(crew, state)
        if why is not None:
            raise NotNow(why)
        work = self._work(one, state, serving, by_hand)
        ends = self._plan.times[crew].end(int(state.now.total_seconds()), work)
        task = Task(
            component=name,
            crew=self._plan.crews[crew].name,
            begins=state.now,
            ends=timedelta(seconds=ends),
        )
        tasks = tuple(sorted((*state.tasks, task), key=lambda task: (task.ends, task.component)))
        how = " by hand" if by_hand else ""
        text = f"{task.crew} begins with {name}{how}, until {task.ends}"
        return _logged(msgspec.structs.replace(state, tasks=tasks), text)

    def _happened(self, state: Exercise, event: Event) -> Exercise:
        match event:
            case PeopleChange():
                people = {**state.people, event.crew: state.people.get(event.crew, 0) + event.by}
                text = f"{event.crew}: {event.by:+d} people"
                return _logged(msgspec.structs.replace(state, people=people), text)
            case FailsAgain():
                return self._lost(state, event.component)
            case TakesLonger():
                factor = state.slower.get(event.component, 1.0) * event.factor
                tasks = tuple(
                    msgspec.structs.replace(
                        t, ends=max(state.now, t.ends + (t.ends - state.now) * (event.factor - 1))
                    )
                    if t.component == event.component
                    else t
                    for t in state.tasks
                )
                slower = {**state.slower, event.component: factor}
                text = f"{event.component} takes {event.factor:g} times as long as was thought"
                return _logged(msgspec.structs.replace(state, slower=slower, tasks=tasks), text)
            case Discovery():
                text = f"{event.component} turns out to need {event.needs}"
                if event.component in state.placed:
                    return _logged(state, f"{text}, but is in place already")
                state = msgspec.structs.replace(
                    state, needs=(*state.needs, (event.component, event.needs))
                )
                if self._serving(state)[self._number(event.needs)]:
                    return _logged(state, text)
                return _logged(_without(state, event.component), text)

    def _in_place(self, state: Exercise, name: str, how: str) -> Exercise:
        before = self.serving(state)
        state = msgspec.structs.replace(_without(state, name), placed=state.placed | {name})
        return self._told(_logged(state, f"{name} {how}"), before)

    def _lost(self, state: Exercise, name: str) -> Exercise:
        before = self.serving(state)
        state = msgspec.structs.replace(_without(state, name), placed=state.placed - {name})
        return self._told(_logged(state, f"{name} is lost"), before)

    def _told(self, state: Exercise, before: frozenset[str]) -> Exercise:
        """Write into the log what serves now and did not, and the other way round."""
        after = self.serving(state)
        for what, names in (("serves now", after - before), ("no longer serves", before - after)):
            for name in sorted(names):
                state = _logged(state, f"{name} {what}")
        return state

    # What holds in a state.

    def _serving(self, state: Exercise) -> list[bool]:
        return self._plan.needs.serving([name in state.placed for name in self._names])

    def _is_ready(self, one: int, state: Exercise, serving: list[bool]) -> bool:
        return not self._missing(one, state, serving)

    def _missing(self, one: int, state: Exercise, serving: list[bool]) -> list[str]:
        """Name what a component must have before it can be brought into place and that does not serve."""
        needs, name = self._plan.needs, self._names[one]
        numbers = [need for need in needs.before[one] if not serving[need]]
        numbers += [self._model.numbers[to] for who, to in state.needs if who == name]
        for group in (needs.alternatives[number] for number in needs.of[one]):
            if group.before and sum(serving[m] for m in group.members) < group.enough:
                numbers += group.members
        return list(dict.fromkeys(self._names[need] for need in numbers if not serving[need]))

    def _work(self, one: int, state: Exercise, serving: list[bool], by_hand: bool) -> int:
        """Return how many seconds of work a component takes now."""
        glass = self._plan.glass[one]
        takes = glass if by_hand and glass is not None else self._plan.likely[one]
        soft = self._plan.needs.soft[one]
        missing = [serving[need] for need in soft].count(False)
        slow = 1 + self._plan.disaster.soft_factor * missing / len(soft) if soft else 1
        return int(takes * slow * state.slower.get(self._names[one], 1.0))

    def _why_nobody(self, crew: int, state: Exercise) -> str | None:
        """Say why nobody of a crew could begin now; None when somebody could."""
        name = self._plan.crews[crew].name
        now = int(state.now.total_seconds())
        awake = self._plan.times[crew].next(now)
        if awake > now:
            return f"{name} is asleep until {timedelta(seconds=awake)}"
        busy = [task.component for task in state.tasks if task.crew == name]
        if len(busy) >= state.people.get(name, 0):
            return f"nobody of {name} is free; they work on {', '.join(busy) or 'nothing, and are gone'}"
        return None

    def _number(self, name: str) -> int:
        if name not in self._model.numbers:
            raise ComponentNotFound(unknown(name, self._model.by_name), component=name)
        return self._model.numbers[name]


def _without(state: Exercise, name: str) -> Exercise:
    return msgspec.structs.replace(
        state, tasks=tuple(task for task in state.tasks if task.component != name)
    )


def _logged(state: Exercise, text: str) -> Exercise:
    return msgspec.structs.replace(state, log=(*state.log, Entry(at=state.now, text=text)))


def _in_time(events: Iterable[Event]) -> tuple[Event, ...]:
    at: Callable[[Event], timedelta] = lambda event: event.at  # noqa: E731
    return tuple(sorted(events, key=at))
