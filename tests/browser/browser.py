# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a window, driven over WebDriver, which is JSON over HTTP on this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

_START_S = 60
_CALL_S = 120
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


class Browser:
    """One window. Scripts are bodies of functions, in the page; what they return comes back as plain values."""

    def __init__(self, address: str, size: tuple[int, int]) -> None:
        options = {
            "binary": shutil.which("chromium"),
            "args": [*_ARGUMENTS, f"--window-size={size[0]},{size[1]}"],
        }
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        made = _call(f"{address}/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"{address}/session/{made['sessionId']}"

    def open(self, url: str) -> None:
        self._do("url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        return self._do("execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._do("goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self, kind: str = "browser") -> list[dict[str, Any]]:
        """Return what was logged since it was asked last."""
        found: list[dict[str, Any]] = self._do("se/log", {"type": kind})
        return found

    def emulate(self, **features: str) -> None:
        """Let the browser be one of a person who likes it so, such as prefers_color_scheme="dark"."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", features=wanted)

    def without_scripts(self, *, off: bool = True) -> None:
        self.devtools("Emulation.setScriptExecutionDisabled", value=off)

    def type(self, selector: str, text: str) -> None:
        """Type into what is found, after what stands there is taken away."""
        self._do(f"element/{self._find(selector)}/clear", {})
        self._do(f"element/{self._find(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        self._do(f"element/{self._find(selector)}/click", {})

    def print(self) -> bytes:
        """Return the page as a PDF."""
        made = self.devtools(
            "Page.printToPDF", printBackground=True, preferCSSPageSize=True, paperWidth=8.27, paperHeight=11.69
        )
        return base64.b64decode(made["data"])

    def picture(self, selector: str = "body", scale: float = 1, height: float | None = None) -> bytes:
        """Return a picture of an element, as PNG. height: of no more than so much of it."""
        rectangle = self.run(
            "scrollTo(0, 0);"
            "const r = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [r.x + scrollX, r.y + scrollY, r.width, r.height]",
            selector,
        )
        clip = dict(zip(("x", "y", "width", "height"), rectangle, strict=True), scale=scale)
        clip["height"] = min(clip["height"], height or clip["height"])
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(taken["data"])

    def close(self) -> None:
        _call(self._session, None, "DELETE")

    def _find(self, selector: str) -> str:
        found = self._do("element", {"using": "css selector", "value": selector})
        return str(next(iter(found.values())))

    def _do(self, what: str, body: dict[str, Any]) -> Any:
        return _call(f"{self._session}/{what}", body)


@contextlib.contextmanager
def running_browser(size: tuple[int, int] = (1280, 900)) -> Iterator[Browser]:
    """Start a browser and what drives it, and end both."""
    driver = shutil.which("chromedriver")
    if driver is None:
        raise FileNotFoundError("chromedriver: make browser-packages")
    process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        browser = Browser(f"http://127.0.0.1:{_read_port(process)}", size)
        try:
            yield browser
        finally:
            browser.close()
    finally:
        process.terminate()
        process.wait(timeout=_START_S)


def _read_port(process: subprocess.Popen[str]) -> int:
    """Return the port that the driver has chosen, which it says when it listens."""
    end = time.monotonic() + _START_S
    assert process.stdout is not None
    for line in process.stdout:
        if "started successfully on port" in line:
            return int(line.rsplit("port", 1)[1].strip(" .\n"))
        if time.monotonic() > end:
            break
    raise TimeoutError("chromedriver did not start")


def _call(url: str, body: dict[str, Any] | None, method: str = "POST") -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    # Not through a proxy: it is this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_CALL_S) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.load(error)["value"]["message"]) from error
