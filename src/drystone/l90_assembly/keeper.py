"""Keep the agent running: start it, and start it again when it dies.

The agent does much and may fail; the keeper does one thing and should not. That is why it is a process of
its own and uses the standard library alone: what breaks a dependency cannot break it, and it stays below
12 MB for as long as the platform runs. Workloads do not depend on either of them.

::

    python -m drystone.l90_assembly.keeper --home DIR [-- COMMAND ARGUMENT…]

COMMAND replaces the agent. In ``DIR/run`` the keeper holds ``keeper.lock`` (its pid inside), writes
``keeper.log`` and sends the agent's output to ``agent.log``.

How the agent's end is read:

* 0: somebody stopped it deliberately. The keeper ends too, with 0.
* 3: it cannot start, and trying again would not help: another agent holds the home, or the configuration is
  refused. The keeper ends too, with 3; the reason is in ``agent.log``.
* anything else: it is started again after a pause that grows from 0.1 s to 5 s, for ever.

SIGTERM and SIGINT mean "stop keeping": the agent gets SIGTERM, on which it leaves the workloads as they
are, and the keeper ends when the agent has. A second signal ends the keeper without waiting.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time

REFUSED = 3
"""Exit code of an agent, and of a keeper, for which trying again would not help."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
LOCK_ATTEMPTS, LOCK_PAUSE_S = 10, 0.05
STEADY_S = 30.0
"""An agent that ran this long had started well: the next pause is the shortest again."""

LARGEST_LOG = 8 * 1024 * 1024
"""A log of more bytes than this is set aside as ``….1`` before the agent starts."""

_STOPS = (signal.SIGTERM, signal.SIGINT)


class Keeper:
    """Looks after one agent.

    Args:
        home: The platform's home directory.
        command: Program and arguments of the agent.
    """

    def __init__(self, home: str, command: list[str]) -> None:
        # os.path instead of pathlib, here and below: pathlib's imports cost a tenth of the memory.
        self._run = os.path.join(home, "run")  # noqa: PTH118
        self._command = command
        self._lock = -1

    def keep(self) -> int:
        """Start the agent, and again, until it ends deliberately or may not be kept any more.

        Returns:
            The exit code of the keeper.
        """
        os.makedirs(self._run, mode=0o700, exist_ok=True)  # noqa: PTH103
        if not self._take_lock():
            return REFUSED
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD, *_STOPS])
        pause = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            code, stopped = self._run_agent()
            if stopped or code == 0:
                self._log("the agent ended deliberately; no longer keeping it")
                return 0
            if code == REFUSED:
                self._log("the agent refuses to start (exit code 3): agent.log says why")
                return REFUSED
            if time.monotonic() - began >= STEADY_S:
                pause = FIRST_PAUSE_S
            self._log(f"the agent ended ({_in_words(code)}); starting it again in {pause:g} s")
            if signal.sigtimedwait(_STOPS, pause):
                self._log("asked to stop; the agent does not run")
                return 0
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def _run_agent(self) -> tuple[int, bool]:
        """Start the agent and wait for its end.

        Returns:
            Its exit code, minus the number of the signal that ended it; and whether the keeper was asked
            to stop meanwhile.
        """
        try:
            agent = self._start()
        except OSError as e:
            self._log(f"{self._command[0]} does not start: {e.strerror}")
            return 127, False
        self._log(f"agent started, pid {agent}")
        asked = False
        while True:
            number = signal.sigwaitinfo([signal.SIGCHLD, *_STOPS]).si_signo
            if number == signal.SIGCHLD:
                ended, status = os.waitpid(agent, os.WNOHANG)
                if ended:
                    return os.waitstatus_to_exitcode(status), asked
            elif asked:
                self._log("asked a second time to stop; leaving the agent behind")
                return 0, True
            else:
                asked = True
                self._log("asked to stop; telling the agent to leave")
                os.kill(agent, signal.SIGTERM)

    def _start(self) -> int:
        """Start the agent in a session of its own and return its pid."""
        output = self._path("agent.log")
        for log in (output, self._path("keeper.log")):
            _set_aside(log)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            os.close(os.open(output, flags | os.O_CLOEXEC, 0o600))
        except OSError as e:  # A full disk keeps no agent down; its words are lost.
            self._log(f"agent.log cannot be written: {e.strerror}")
            output = "/dev/null"
        return os.posix_spawn(
            self._command[0],
            self._command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[signal.SIGHUP],
        )

    def _take_lock(self) -> bool:
        """Hold ``keeper.lock`` until this process ends; False if another keeper holds it.

        Who wants to know whether a home is kept takes the lock for a moment, so one refusal says little.
        """
        self._lock = os.open(
            self._path("keeper.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        for attempt in range(LOCK_ATTEMPTS):
            if attempt:
                time.sleep(LOCK_PAUSE_S)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            try:  # noqa: SIM105 - contextlib would have to be loaded for it
                os.pwrite(self._lock, b"%-19d\n" % os.getpid(), 0)  # in place, which needs no room
            except OSError:  # On a full disk the lock holds without the number, too.
                pass
            return True
        holder = os.read(self._lock, 32).decode("ascii", "replace").strip() or "unknown"
        print(f"a keeper (pid {holder}) already keeps {self._run}", file=sys.stderr)  # noqa: T201
        return False

    def _log(self, text: str) -> None:
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}\n"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            log = os.open(self._path("keeper.log"), flags, 0o600)
        except OSError:  # A full disk or a removed home is no reason to stop keeping.
            return
        try:
            os.write(log, line.encode())
        except OSError:
            pass
        finally:
            os.close(log)

    def _path(self, name: str) -> str:
        return os.path.join(self._run, name)  # noqa: PTH118


def _set_aside(log: str) -> None:
    """Rename a log that has grown large, so that a home does not fill up over the years."""
    try:
        if os.stat(log).st_size > LARGEST_LOG:  # noqa: PTH116
            os.replace(log, log + ".1")  # noqa: PTH105
    except FileNotFoundError:
        pass


def _in_words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def main(arguments: list[str]) -> int:
    """Read the command line and keep the agent; return the exit code, 2 for a wrong command line."""
    options, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        options, command = arguments[:at], arguments[at + 1 :]
    if len(options) != 2 or options[0] != "--home":
        print("usage: keeper --home DIR [-- COMMAND ARGUMENT…]", file=sys.stderr)  # noqa: T201
        return 2
    os.umask(0o077)
    home = os.path.abspath(options[1])  # noqa: PTH100
    agent = [sys.executable, "-P", "-m", "drystone.l90_assembly.agent", "--home", home]
    return Keeper(home, command or agent).keep()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
