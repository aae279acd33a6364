"""Phone calls through the webhook and the media websocket, in real time, by callers who are not the agent."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import soundfile

from lab.caller import FliteCaller, WhisperEar
from lab.carriers.line import audible_samples
from lab.carriers.twilio import TwilioCall
from processors.speech.piper import Piper
from tests.end_to_end.server import ADMIN_TOKEN, ROOT, Server

pytestmark = pytest.mark.timeout(180)
CALLERS = ["rms", "awb", "slt"]
QUESTION = "How many books can I borrow at the same time?"
FASTEST = 0.85
"""Piper's speed varies by so much from one time to the next."""


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


async def answer_to(call: TwilioCall, voice: FliteCaller, text: str, ear: WhisperEar) -> str:
    """Say something; what the caller hears in return."""
    await call.say_pcm(*voice.synthesise(text))
    heard = await call.agent_finished()
    sound = call.recording.between("agent", heard.start_secs - 0.1, heard.end_secs + 0.1)
    return ear.hear(sound, call.recording.rate_hz)


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [e for e in events if e["kind"] == kind]


@pytest.mark.parametrize("name", CALLERS)
async def test_a_spoken_question_gets_a_right_spoken_answer(library: Server, ear: WhisperEar, name: Any) -> None:
    async with TwilioCall.dial(f"{library.url}/twilio/voice") as call:
        await call.agent_finished()
        heard = await answer_to(call, FliteCaller(name), QUESTION, ear)
    assert_answered(library.events(call.call_sid), heard)
    assert call.faults == []


@pytest.mark.parametrize("name", CALLERS)
async def test_a_wav_file_gets_a_right_spoken_answer(library: Server, tmp_path: Path, name: Any) -> None:
    pcm16, rate_hz = FliteCaller(name).synthesise(QUESTION)
    soundfile.write(tmp_path / "question.wav", pcm16, rate_hz, subtype="PCM_16")
    command = [sys.executable, "-m", "lab.call", "--url", library.url, "--wav", "question.wav", "--out", "."]
    env = {**os.environ, "DATA_DIR": str(library.data_dir), "ADMIN_TOKEN": ADMIN_TOKEN, "PYTHONPATH": str(ROOT)}
    caller = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, env=env, stdout=asyncio.subprocess.PIPE)
    told, _ = await caller.communicate()
    assert caller.returncode == 0, told.decode()
    by_ear, _, by_journal = (tmp_path / "transcript.txt").read_text().partition("\n\n")
    assert "borrow" in by_journal
    call_sid = re.search(r"Call (CA\w+)", told.decode())
    assert call_sid
    assert_answered(library.events(call_sid[1]), by_ear)


def assert_answered(events: list[dict[str, Any]], heard: str) -> None:
    """The question was heard, its answer was found, and the caller heard that answer."""
    said = of_kind(events, "user_said")[0]["text"]
    assert {"books", "borrow"} <= set(words(said))
    assert [e["action"] for e in of_kind(events, "decided")] == ["answer"]
    told = of_kind(events, "agent_said")[-1]["text"]
    assert "20 books" in told
    assert len(set(words(heard)) & set(words(told))) >= 0.6 * len(set(words(told))), (heard, told)


async def test_the_same_task_typed_and_spoken_decides_and_does_the_same(shop: Server, ear: WhisperEar) -> None:
    script = ["Where is my order?", "One two three four six.", "Sorry, I meant one two three four five."]
    typed = ["Where is my order?", "12346", "Sorry, I meant 12345."]
    voice = FliteCaller("rms")
    async with TwilioCall.dial(f"{shop.url}/twilio/voice") as call:
        await call.agent_finished()
        for line in script:
            await call.say_pcm(*voice.synthesise(line))
            await call.agent_finished()
    token = None
    for line in typed:
        answer = shop.say(line, token)
        token = answer["token"]
    assert token
    spoken_events = shop.events(call.call_sid)
    typed_events = shop.events(token)
    assert decided(spoken_events) == decided(typed_events)
    assert (
        effects(spoken_events)
        == effects(typed_events)
        == [
            ("order_status", {"order_number": "12346"}),
            ("order_status", {"order_number": "12345"}),
        ]
    )


def decided(events: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(e["action"], e["details"]) for e in of_kind(events, "decided")]


def effects(events: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    return [(e["tool"], e["arguments"]) for e in of_kind(events, "effect_started")]


async def test_barge_in_sends_clear_and_keeps_only_what_was_played(library: Server, model_cache: Path) -> None:
    voice = FliteCaller("rms")
    async with TwilioCall.dial(f"{library.url}/twilio/voice") as call:
        await call.agent_started()
        await call.pause(1.2)
        await call.say_pcm(*voice.synthesise("Stop please, how many books can I borrow?"))
        await call.agent_finished()
    clear = call.line.clears[0]
    events = library.events(call.call_sid)
    kept = of_kind(events, "heard")[0]
    whole = of_kind(events, "agent_said")[0]["text"]
    assert not kept["complete"] and len(words(kept["text"])) < len(words(whole))
    assert words(whole)[: len(words(kept["text"]))] == words(kept["text"])
    played = call.recording.side("agent")[: clear.played_samples]
    sound = audible_samples(played)
    assert sound is not None
    played_secs = (len(played) - sound[0]) / call.recording.rate_hz
    assert len(words(kept["text"])) <= words_within(played_secs, whole, model_cache)


def words_within(secs: float, text: str, model_cache: Path) -> int:
    """How many words of a text the agent's voice can have said in a time; it never speaks the same twice."""
    ends, before = [], 0.0
    for chunk in Piper.load(model_cache).synthesise(text):
        ends += [before + word.end_secs for word in chunk.words]
        before += chunk.secs
    return sum(end * FASTEST <= secs for end in ends)


async def test_digits_of_the_keypad_are_understood(shop: Server) -> None:
    voice = FliteCaller("rms")
    async with TwilioCall.dial(f"{shop.url}/twilio/voice") as call:
        await call.agent_finished()
        await call.say_pcm(*voice.synthesise("Where is my order?"))
        await call.agent_finished()
        await call.digits("12345#")
        await call.agent_finished()
    assert effects(shop.events(call.call_sid)) == [("order_status", {"order_number": "12345"})]


async def test_zero_on_the_keypad_calls_a_human(shop: Server) -> None:
    async with TwilioCall.dial(f"{shop.url}/twilio/voice") as call:
        await call.agent_finished()
        await call.digits("0")
        await call.agent_finished()
    moved = of_kind(shop.events(call.call_sid), "hand_off_moved")
    assert [m["state"] for m in moved] == ["requested"]


async def test_the_stages_sum_to_what_the_caller_waited(library: Server) -> None:
    voice = FliteCaller("rms")
    async with TwilioCall.dial(f"{library.url}/twilio/voice") as call:
        await call.agent_finished()
        said = await call.say_pcm(*voice.synthesise("How many books can I borrow?"))
        heard = await call.agent_finished()
    measured = of_kind(library.events(call.call_sid), "turn_measured")[0]
    assert sum(measured["stages_ms"].values()) == pytest.approx(measured["total_ms"])
    waited_ms = (heard.start_secs - said.end_secs) * 1000
    assert measured["total_ms"] == pytest.approx(waited_ms, abs=300)
