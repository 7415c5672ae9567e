"""A browser for tests: headless Chromium, driven over the DevTools protocol through a pair of pipes.

No port is opened and no library is needed: commands and events are JSON documents, each ended by a zero byte
(``--remote-debugging-pipe``, https://chromedevtools.github.io/devtools-protocol/).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

PATIENCE = timedelta(seconds=60)
"""How long a page may take; far more than it does, because machines are busy."""
_STARTS = 3
"""How often it is started: on a busy machine it may end before it answers."""

_BINARIES = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    *["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"],
    *["--disable-gpu", "--disable-extensions", "--disable-background-networking", "--disable-sync"],
    *["--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio"],
    *["--force-color-profile=srgb", "--no-sandbox", "--disable-features=Translate,MediaRouter"],
)
# Both are moved out of the way first: one of them may have the number that the other one needs.
_START = "import os,sys,fcntl;a,b=[fcntl.fcntl(int(n),fcntl.F_DUPFD,99) for n in sys.argv[1:3]];os.dup2(a,3);os.dup2(b,4);os.execv(sys.argv[3],sys.argv[3:])"
_KEYS: Mapping[str, tuple[str, int, str]] = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Space": (" ", 32, " "),
    "PageUp": ("PageUp", 33, ""),
    "PageDown": ("PageDown", 34, ""),
    "End": ("End", 35, ""),
    "Home": ("Home", 36, ""),
    "ArrowLeft": ("ArrowLeft", 37, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
}


class BrowserFailed(Exception):
    """The browser has not done what it was told."""


def binary() -> str | None:
    """Return where Chromium is; None when it is not installed."""
    return next((found for one in _BINARIES if (found := shutil.which(one))), None)


class Browser:
    """A browser with nothing in it. It ends, with all it wrote, when the context does.

    Raises:
        BrowserFailed: Chromium is not installed.
    """

    def __init__(self) -> None:
        program = binary()
        if program is None:
            raise BrowserFailed("Chromium is not installed; install the Debian package chromium")
        self._profile = tempfile.mkdtemp(prefix="dry-browser-")
        self._said = Path(self._profile) / "said"
        for _ in range(_STARTS - 1):
            self._start(program)
            with contextlib.suppress(BrowserFailed, BrokenPipeError):
                self.send("Browser.getVersion")
                return
            self._end()
        self._start(program)

    def _start(self, program: str) -> None:
        commands, self._to = os.pipe()
        self._from, answers = os.pipe()
        command = [sys.executable, "-S", "-c", _START, str(commands), str(answers), program]
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                [*command, *_OPTIONS, f"--user-data-dir={self._profile}", "about:blank"],
                pass_fds=(commands, answers),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
                env={**os.environ, "HOME": self._profile},
            )
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._count = 0
        self._tabs: dict[str, Tab] = {}

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(BrowserFailed, BrokenPipeError):
            self.send("Browser.close")
        self._end()
        # Helpers of the browser may write for a moment longer.
        for _ in range(50):
            shutil.rmtree(self._profile, ignore_errors=True)
            if not Path(self._profile).exists():
                break
            time.sleep(0.1)

    def _end(self) -> None:
        os.close(self._to)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        os.close(self._from)

    def send(self, method: str, session: str | None = None, **given: object) -> dict[str, Any]:
        """Give a command and return its result; events that come meanwhile are noted.

        Raises:
            BrowserFailed: It was refused, or nothing came in time.
        """
        self._count += 1
        number = self._count
        message: dict[str, Any] = {"id": number, "method": method, "params": given}
        if session is not None:
            message["sessionId"] = session
        waiting = json.dumps(message).encode() + b"\0"
        while waiting:
            waiting = waiting[os.write(self._to, waiting) :]
        for answer in self._messages(PATIENCE):
            if answer.get("id") == number:
                if "error" in answer:
                    raise BrowserFailed(f"{method}: {answer['error'].get('message')}")
                result: dict[str, Any] = answer["result"]
                return result
        raise BrowserFailed(f"{method}: no answer within {PATIENCE}")

    def listen(self, patience: timedelta) -> Iterator[None]:
        """Note events; one turn for each message, until nothing more comes in time."""
        for _ in self._messages(patience):
            yield

    def _messages(self, patience: timedelta) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + patience.total_seconds()
        while True:
            while b"\0" not in self._buffer:
                ready, _, _ = select.select([self._from], [], [], max(0.0, end - time.monotonic()))
                if not ready:
                    return
                read = os.read(self._from, 1 << 20)
                if not read:
                    raise BrowserFailed(f"the browser has ended, and said {self._last_words()}")
                self._buffer += read
            whole, _, self._buffer = self._buffer.partition(b"\0")
            message = json.loads(whole)
            tab = self._tabs.get(message.get("sessionId", ""))
            if tab is not None and "method" in message:
                tab.note(message["method"], message.get("params", {}))
            yield message

    def _last_words(self) -> str:
        return self._said.read_text(errors="replace")[-500:] or "nothing"

    def tab(
        self,
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
        still: bool = True,
    ) -> Tab:
        """Open a tab.

        Args:
            width: Of the window, in CSS pixels.
            height: The same.
            dark: Whether the user prefers dark pages.
            scripts: Whether pages may run scripts.
            still: Whether the user prefers reduced motion.
        """
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session)
        self._tabs[session] = tab
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.send(f"{domain}.enable")
        tab.prefer(dark=dark, still=still)
        size = {"width": width, "height": height, "deviceScaleFactor": 1}
        tab.send("Emulation.setDeviceMetricsOverride", mobile=False, **size)
        if not scripts:
            tab.send("Emulation.setScriptExecutionDisabled", value=True)
        return tab


class Tab:
    """One page in the browser.

    Attributes:
        complaints: What the browser has said against the page: errors of scripts, refused content.
        received: Bytes that were transferred, by address.
    """

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self._loaded = 0
        self._addresses: dict[str, str] = {}
        self.complaints: list[str] = []
        self.received: dict[str, int] = {}

    @override
    def __repr__(self) -> str:
        return f"Tab({self._session[:8]})"

    def send(self, method: str, **given: object) -> dict[str, Any]:
        """Give a command about this page."""
        return self._browser.send(method, self._session, **given)

    def note(self, event: str, said: Mapping[str, Any]) -> None:
        """Take notice of an event."""
        match event:
            case "Page.loadEventFired":
                self._loaded += 1
            case "Network.requestWillBeSent":
                self._addresses[said["requestId"]] = said["request"]["url"]
            case "Network.loadingFinished":
                address = self._addresses.get(said["requestId"], "")
                self.received[address] = int(said["encodedDataLength"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(said["exceptionDetails"].get("exception", said))[:500])
            case "Log.entryAdded" if said["entry"]["level"] in {"error", "warning"}:
                self.complaints.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
            case "Runtime.consoleAPICalled" if said["type"] in {"error", "warning", "assert"}:
                self.complaints.append(str(said["args"])[:500])
            case _:
                pass

    def prefer(self, *, dark: bool = False, still: bool = True) -> None:
        """Let the user prefer something; the page that is open follows at once.

        Args:
            dark: Whether dark pages.
            still: Whether reduced motion.
        """
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.send("Emulation.setEmulatedMedia", features=features)

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded.

        Raises:
            BrowserFailed: It is not, in time.
        """
        before = self._loaded
        result = self.send("Page.navigate", url=address)
        if "errorText" in result:
            raise BrowserFailed(f"{address}: {result['errorText']}")
        if "loaderId" in result:
            self._until_loaded(before, address)

    def _until_loaded(self, before: int, what: str) -> None:
        end = time.monotonic() + PATIENCE.total_seconds()
        while self._loaded == before:
            for _ in self._browser.listen(timedelta(seconds=0.2)):
                if self._loaded != before:
                    break
            if time.monotonic() > end:
                raise BrowserFailed(f"{what} was not loaded within {PATIENCE}")

    @contextlib.contextmanager
    def leads_on(self) -> Iterator[None]:
        """Wait at the end until what is done inside has loaded another page."""
        before = self._loaded
        yield
        self._until_loaded(before, "what was followed")

    def js(self, expression: str) -> Any:
        """Return what an expression gives in the page, as JSON values.

        Raises:
            BrowserFailed: It throws.
        """
        answer = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserFailed(f"{expression}: {answer['exceptionDetails']}"[:1000])
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until an expression gives something true, and return it.

        Raises:
            BrowserFailed: It does not, in time.
        """
        end = time.monotonic() + PATIENCE.total_seconds()
        while not (found := self.js(expression)):
            if time.monotonic() > end:
                raise BrowserFailed(f"{expression} was not so within {PATIENCE}")
            time.sleep(0.02)
        return found

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key: the name of one, such as ``Tab``, or a letter."""
        name, code, text = _KEYS.get(key, (key, ord(key[0].upper()), key))
        given: dict[str, object] = {
            "key": name,
            "windowsVirtualKeyCode": code,
            "modifiers": 8 if shift else 0,
        }
        self.send(
            "Input.dispatchKeyEvent", type="keyDown", **given, **({"text": text} if text else {})
        )
        self.send("Input.dispatchKeyEvent", type="keyUp", **given)

    def write(self, text: str) -> None:
        """Type text into what has the focus."""
        self.send("Input.insertText", text=text)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        """Do something with the mouse at a place of the window."""
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def picture(self, *, whole: bool = False) -> bytes:
        """Return the page as a PNG: the window, or the whole of it."""
        given: dict[str, object] = {"format": "png"}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 8000)}
            given |= {"captureBeyondViewport": True, "clip": {**clip, "scale": 1}}
        return base64.b64decode(self.send("Page.captureScreenshot", **given)["data"])
