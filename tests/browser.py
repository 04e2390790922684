"""Pages in a real browser: Chromium, spoken to over a pipe by its own protocol, and axe for what hinders people.

`axe.min.js` (npm package axe-core, under the MPL) is not part of this repository: `make axe` fetches it, or AXE names
the file. A test that needs what this machine lacks is skipped, and says what.

Sources: chromedevtools.github.io/devtools-protocol; content/browser/devtools/devtools_pipe_handler.cc (descriptors 3
and 4, messages that end with a zero byte); github.com/dequelabs/axe-core/blob/develop/doc/API.md.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
AXE = Path(os.environ.get("AXE") or ROOT / ".local/axe/axe.min.js")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = (1280, 900), (390, 844)
"""Width and height, in CSS pixels."""

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def program() -> str:
    """The browser of this machine; the test is skipped where there is none."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), "")
    return found or pytest.skip(f"this machine has no browser ({', '.join(PROGRAMS)})")


def axe() -> str:
    """The text of axe.min.js; the test is skipped where it is not installed."""
    if not AXE.exists():
        pytest.skip(f"there is no {AXE}: `make axe`")
    return AXE.read_text(encoding="utf-8")


@dataclass
class Browser:
    """One page. `size` and `dark` hold for what is opened next."""

    to: IO[bytes]
    answers: IO[bytes]
    session: str = ""
    sent: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    """Events so far."""

    def open(self, html: str | Path, *, size: tuple[int, int] = DESKTOP, dark: bool = False) -> None:
        """Show a file, and wait for it."""
        width, height = size
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=size == PHONE,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        self.seen.clear()
        self.do("Page.navigate", url=html if isinstance(html, str) else html.resolve().as_uri())
        while not any(each.get("method") == "Page.loadEventFired" for each in self.seen):
            self.seen.append(self._next())

    def evaluate(self, script: str) -> Any:
        """The value of an expression on the page; a promise is awaited."""
        answer = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def hindrances(self) -> list[str]:
        """What axe finds on the page: rule and element."""
        self.evaluate(axe() + ";0")
        found = self.evaluate(
            f"axe.run({{runOnly: {json.dumps(RULES)}}}).then(found => JSON.stringify(found.violations))"
        )
        return [f"{each['id']}: {node['html'][:200]}" for each in json.loads(found) for node in each["nodes"]]

    def too_wide(self) -> bool:
        """Does the page have to be moved sideways?"""
        return bool(self.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def picture(self, path: Path) -> None:
        """A PNG of all of it."""
        answer = self.do("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol, and its answer."""
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while (answer := self._next()).get("id") != self.sent:
            self.seen.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        parts = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser has ended"
            parts += byte
        return dict(json.loads(parts))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile; it ends with the block. It loads nothing but the files that it is given."""
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    chosen = [
        program(), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
        "--disable-background-networking", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        f"--user-data-dir={profile}", "about:blank",
    ]  # fmt: skip
    connected = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", connected, "browser", *chosen],
        pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        with open(ours_out, "wb") as to, open(ours_in, "rb") as answers:
            page = Browser(to, answers)
            target = page.do("Target.createTarget", url="about:blank")["targetId"]
            page.session = page.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            page.do("Page.enable")
            yield page
            page.session = ""
            page.do("Browser.close")
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
