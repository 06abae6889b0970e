"""Headless Chromium, driven by its own protocol over a WebSocket: no driver of another's beside it.

A `Browser` is one process with one fake microphone, which plays a WAV from its beginning whenever a
page opens it. A `Tab` is a page in a context of its own: nothing is kept from one to the next.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

PATIENCE_S = 20.0
LOOK_EVERY_S = 0.02
MOST_STRIKES = 80
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)
"""The clicks that the tests make are clicks to the browser too: sound may play without a switch."""
KEYS = {
    " ": ("Space", 32),
    "Escape": ("Escape", 27),
    "Tab": ("Tab", 9),
    "Enter": ("Enter", 13),
}


def chromium() -> str:
    """Where it is. A machine without it has to do without; under CI it must be there."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium on this machine: apt-get install chromium")
        pytest.skip("no Chromium on this machine: the page is not tried")
    return found


class Browser:
    """The process, and the one connection to it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._tabs: dict[str, Tab] = {}
        self._asked = 0
        self._reader = asyncio.create_task(self._read())

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One method of the protocol."""
        self._asked += 1
        number = self._asked
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        await self._socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        async with asyncio.timeout(PATIENCE_S):
            told = await answer
        assert "error" not in told, f"{method}: {told['error']}"
        result: dict[str, Any] = told["result"]
        return result

    @asynccontextmanager
    async def tab(
        self, url: str, *, any_certificate: bool = False, phone: bool = False, before: str = ""
    ) -> AsyncIterator[Tab]:
        """A page at this address, in a context of its own. `before`: a script that runs first."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        made = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        target = made["targetId"]
        attached = await self.call("Target.attachToTarget", targetId=target, flatten=True)
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"], context)
        for domain in ("Runtime", "Page", "Log"):
            await tab.call(f"{domain}.enable")
        if any_certificate:
            await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        if phone:
            await tab.phone()
        if before:
            await tab.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        try:
            await tab.go(url)
            yield tab
        finally:
            await self.call("Target.disposeBrowserContext", browserContextId=context)

    async def close(self) -> None:
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            elif (tab := self._tabs.get(message.get("sessionId", ""))) is not None:
                tab.complaints += complaints_of(message)


def complaints_of(message: Mapping[str, Any]) -> list[str]:
    """What the browser says against a page: what its policy forbids, what a script threw."""
    match message:
        case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
            return [details.get("exception", {}).get("description", details["text"])]
        case {"method": "Log.entryAdded", "params": {"entry": {"level": "error" | "warning"} as e}}:
            return [e["text"]]
        case {"method": "Runtime.consoleAPICalled", "params": {"type": "error"} as said}:
            return [str(said["args"])]
        case _:
            return []


class Tab:
    """One page. `complaints` is what the browser has said against it."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser, self._session, self._context = browser, session, context
        self.complaints: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **params)

    async def go(self, url: str) -> None:
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def look(self, expression: str) -> Any:
        """The value of an expression in the page."""
        told = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, (expression, told["exceptionDetails"])
        return told["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until it is true."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    if value := await self.look(expression):
                        return value
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            shown = await self.look("document.body.innerText")
            raise AssertionError(f"never: {expression}\n{shown}\n{self.complaints}") from None

    async def there(self, selector: str) -> None:
        """Wait until the page has such an element."""
        await self.until(f"document.querySelector({json.dumps(selector)}) !== null")

    async def text(self, selector: str) -> str:
        told: str = await self.look(f"document.querySelector({json.dumps(selector)}).innerText")
        return told

    async def middle(self, selector: str) -> dict[str, float]:
        """The middle of an element, which is scrolled to where it can be seen."""
        box = await self.look(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            "return {x: b.x + b.width / 2, y: b.y + b.height / 2}; })()"
        )
        return {"x": box["x"], "y": box["y"]}

    async def mouse(self, kind: str, selector: str) -> None:
        at = await self.middle(selector)
        await self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    async def click(self, selector: str) -> None:
        await self.mouse("mousePressed", selector)
        await self.mouse("mouseReleased", selector)

    async def touch(self, selector: str) -> None:
        """A finger comes down on it and stays."""
        at = await self.middle(selector)
        await self.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[at])

    async def lift(self) -> None:
        await self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    async def key(self, kind: str, key: str) -> None:
        code, number = KEYS[key]
        text = {"text": key if key == " " else "\r"} if key in (" ", "Enter") else {}
        whole = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        await self.call(
            "Input.dispatchKeyEvent", type=kind, **whole, **(text if kind == "keyDown" else {})
        )

    async def strike(self, key: str) -> None:
        await self.key("keyDown", key)
        await self.key("keyUp", key)

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", text=text)

    async def tab_to(self, selector: str) -> None:
        """Strike Tab until it has the focus."""
        for _ in range(MOST_STRIKES):
            if await self.look(f"document.activeElement.matches({json.dumps(selector)})"):
                return
            await self.strike("Tab")
        raise AssertionError(f"no number of Tabs leads to {selector}")

    async def phone(self) -> None:
        """A small screen, and fingers."""
        await self.call(
            "Emulation.setDeviceMetricsOverride",
            width=390,
            height=844,
            deviceScaleFactor=2,
            mobile=True,
        )
        await self.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=2)

    async def downloaded(self, act: Callable[[], Awaitable[None]], folder: Path) -> Path:
        """The file that this gives."""
        await self._browser.call(
            "Browser.setDownloadBehavior",
            behavior="allow",
            browserContextId=self._context,
            downloadPath=str(folder),
        )
        await act()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if found := _files(folder, ".jsonl"):
                    return found[0]
                await asyncio.sleep(LOOK_EVERY_S)

    async def picture(self, file: Path) -> None:
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        await asyncio.to_thread(file.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def a_browser(microphone: bytes, rate: int, *switches: str) -> AsyncIterator[Browser]:
    """Chromium with a microphone that plays this once: 16-bit PCM, mono."""
    program = chromium()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        sound = Path(folder) / "microphone.wav"
        with wave.open(str(sound), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            file.writeframes(microphone)
        process = await asyncio.create_subprocess_exec(
            program,
            *SWITCHES,
            *switches,
            f"--user-data-dir={folder}/profile",
            f"--use-file-for-fake-audio-capture={sound}%noloop",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port, path = await _door(Path(folder) / "profile" / "DevToolsActivePort")
            url = f"ws://127.0.0.1:{port}{path}"
            async with connect(url, compression=None, max_size=None, proxy=None) as socket:
                browser = Browser(socket)
                try:
                    yield browser
                finally:
                    await browser.close()
        finally:
            process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _door(file: Path) -> tuple[str, str]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            match _words(file):
                case [port, path]:
                    return port, path
            await asyncio.sleep(LOOK_EVERY_S)


def _files(folder: Path, suffix: str) -> list[Path]:
    return [each for each in folder.iterdir() if each.suffix == suffix]


def _words(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []
