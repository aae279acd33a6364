"""Chromium, the scripted server, and what every page test holds: no other host, no breach of the CSP."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.page.fake_server import FakeServer

expect.set_options(timeout=15_000)  # a page on a busy machine

ROOT = Path(__file__).parents[2]
CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream"
).split()
FAKE_CALL = """
export function startCall({ token, dispatch }) {
  window.fakeCall = { token, dispatch, muted: null, hungUp: false };
  dispatch({ type: "call/phase", phase: "asking" });
  return {
    mute(muted) { window.fakeCall.muted = muted; },
    hangUp() { window.fakeCall.hungUp = true; },
  };
}
"""
OpenPage = Callable[..., Page]


def needs(tool: str | None, name: str) -> str:
    """The tool's path; without it the test is skipped, but in CI it fails."""
    if tool is not None:
        return tool
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing, and CI=true")
    pytest.skip(f"{name} is missing")


@pytest.fixture(scope="session")
def build_check() -> subprocess.CompletedProcess[str]:
    """Installs the page's locked packages and compares what ships with what the source builds."""
    needs(shutil.which("node"), "Node")
    command = [sys.executable, str(ROOT / "scripts" / "build-page"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Playwright's loop lives in this thread while it runs, so it ends with each module: asyncio tests follow.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = needs(shutil.which("chromium") or shutil.which("chromium-browser"), "Chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    fake = FakeServer()
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def open_page(browser: Browser, server: FakeServer) -> Iterator[OpenPage]:
    """`open_page(**context)` opens the page in a browser of its own, with a scripted call part."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def watch(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            faults.append(message.text)

    def open_one(real_call: bool = False, token: str | None = None, **options: object) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", watch)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.extend(other_host(request.url, server)))
        if token is not None:
            page.add_init_script(
                f"localStorage.getItem('openline.token') ?? localStorage.setItem('openline.token', '{token}')"
            )
        if not real_call:
            page.route("**/call.js", lambda route: route.fulfill(body=FAKE_CALL, content_type="text/javascript"))
        page.goto(server.url)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


def until(page: Page, happened: Callable[[], bool]) -> None:
    """Waits for something on the server's or the peer's side; the test's own time limit ends a vain wait."""
    while not happened():
        page.wait_for_timeout(20)


def until_kept(page: Page, token: str | None) -> None:
    """Waits until the page keeps this token over a reload. It learns it at the answer's end, after the words."""
    page.wait_for_function("token => localStorage.getItem('openline.token') === token", arg=token)


def other_host(url: str, server: FakeServer) -> list[str]:
    parts = urlsplit(url)
    own = parts.scheme in ("data", "blob") or parts.netloc == urlsplit(server.url).netloc
    return [] if own else [f"a request left for {url}"]


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """Where screenshots go: the folder of OPENLINE_ARTIFACTS, or the test's own."""
    folder = Path(os.environ.get("OPENLINE_ARTIFACTS", tmp_path)) / "page"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
