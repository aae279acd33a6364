"""The page against the real server: a typed question, and a call by a microphone that speaks a question."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lab.caller import FliteCaller
from tests.conftest import CI
from tests.end_to_end.server import Server

pytestmark = pytest.mark.timeout(180)
QUESTION = "How many books can I borrow at the same time?"
MICROPHONE_HZ = 48_000
GREETING_SECS = 9
"""So long the microphone is silent: the agent greets first."""
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --autoplay-policy=no-user-gesture-required "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
).split()


def microphone(path: Path, voice: FliteCaller) -> Path:
    """A WAV for Chromium's fake microphone: a caller who asks, waits, and asks once more if misheard."""
    samples, rate_hz = voice.synthesise(QUESTION)
    speech = soxr.resample(samples.astype(np.float32) / 32768, rate_hz, MICROPHONE_HZ)
    silence = np.zeros(MICROPHONE_HZ * GREETING_SECS, dtype=np.float32)
    said = [silence, speech, silence, silence, speech, silence, silence, silence]
    soundfile.write(path, np.concatenate(said), MICROPHONE_HZ, subtype="PCM_16")
    return path


@pytest.fixture
def browser(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Chromium, whose microphone asks the question in the voice that the test names."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        assert not CI, "Chromium is missing: scripts/setup.sh installs it"
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    wav = microphone(tmp_path / "microphone.wav", FliteCaller(getattr(request, "param", "slt")))
    with sync_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={wav}%noloop"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


def picture(page: Page, tmp_path: Path, name: str) -> None:
    folder = Path(os.environ.get("OPENLINE_ARTIFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


def test_a_typed_question_is_answered_and_a_reload_keeps_it(library: Server, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    page.goto(library.url)
    page.get_by_role("textbox").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.get_by_text("20 books").first).to_be_visible(timeout=15_000)
    picture(page, tmp_path, "typed")
    page.reload()
    expect(page.get_by_text("20 books").first).to_be_visible(timeout=15_000)
    assert faults == []


@pytest.mark.parametrize("browser", ["rms", "awb", "slt"], indirect=True)
def test_a_spoken_question_is_answered_on_a_call(library: Server, browser: Browser, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(library.url)
    page.get_by_role("button", name="Call").first.click()
    expect(page.get_by_text("20 books", exact=False).first).to_be_visible(timeout=80_000)
    picture(page, tmp_path, "called")
    stored = page.evaluate("() => Object.values(localStorage).join(' ')")
    token = next(word for word in re.split(r"[^\w-]+", stored) if len(word) >= 20)
    events = played(library, token, page)
    page.get_by_role("button", name="Hang up").click()
    said = [e["text"] for e in events if e["kind"] == "user_said"]
    decided = [e["action"] for e in events if e["kind"] == "decided"]
    assert "borrow" in said[-1].lower() and decided[-1] == "answer"
    assert len(said) == len(decided) <= 2


def played(server: Server, token: str, page: Page) -> list[dict[str, Any]]:
    """The journal once the answer was played to its end; the test's own time limit ends a vain wait."""
    while True:
        events = server.events(token)
        if any(e["kind"] == "heard" and "20 books" in e["text"] for e in events):
            return events
        page.wait_for_timeout(300)
