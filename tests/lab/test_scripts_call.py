"""scripts/call: the caller's lines in order, and what the call leaves behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI, Request, Response
from rich.console import Console

from agent.events import (
    AgentSaid,
    Event,
    Heard,
    HumanSaid,
    SessionJoined,
    SessionLeft,
    TurnMeasured,
    UserSaid,
)
from lab.call import Keys, Speech, converse, local_url, play, prepare, read_arguments, report
from lab.call_report import (
    NoJournal,
    Saying,
    Wait,
    fetch_journal,
    journal_transcript,
    measured,
    phrases,
    transcript,
    waits,
)
from lab.caller import UnreadableSound
from lab.carriers.line import Stretch
from lab.carriers.mulaw import Samples
from lab.carriers.twilio import TwilioCall
from pipelines.settings import Settings

Serve = Callable[[FastAPI], str]
MakeAgent = Callable[..., Any]

TONE: Samples = (9000 * np.sin(np.arange(2400) * 0.5)).astype(np.int16)
"""0.3 s at 8 kHz."""

SILENCE = base64.b64encode(b"\xff" * 160).decode()

EVENTS: list[Event] = [
    SessionJoined(at=100.0, channel="phone"),
    UserSaid(at=102.5, turn_id="t1", text="where is my order", spoken=True, confidence=0.93),
    AgentSaid(at=103.0, turn_id="t1", text="What is its number? Mine is [EMAIL_1]."),
    TurnMeasured(at=103.1, turn_id="t1", stages_ms={"endpointing": 300.0, "stt": 250.0}, total_ms=550.0),
    Heard(at=104.0, turn_id="t1", text="What is its", complete=False),
    HumanSaid(at=105.0, text="Hello", name="Ada"),
    SessionLeft(at=106.0, reason="closed"),
]


class Loudness:
    """An ear that hears how long something sounds."""

    def hear(self, pcm16: Samples, rate_hz: int) -> str:
        return f"{np.count_nonzero(np.abs(pcm16) > 250) / rate_hz:.1f} s of sound"


class Whistle:
    """A voice with one tone for every text."""

    def synthesise(self, text: str) -> tuple[Samples, int]:
        return np.tile(TONE, len(text.split())), 8000


def _said(start: float, end: float, text: str) -> Saying:
    return Saying("caller", text, Stretch(start, end))


def test_lines_files_and_keys_keep_the_order_of_the_command_line() -> None:
    words = ["--digits", "12#", "--say", "hello", "--wav", "a.wav", "--say", "bye", "--url", "http://h:1/"]
    arguments = read_arguments(words, "http://127.0.0.1:7860")
    assert arguments.steps == [
        ("digits", "12#"),
        ("say", "hello"),
        ("wav", Path("a.wav")),
        ("say", "bye"),
    ]
    assert arguments.url == "http://h:1"
    assert arguments.voice == "rms"


def test_a_server_on_all_interfaces_is_called_on_this_machine() -> None:
    settings = Settings(host="0.0.0.0", port=7861)
    assert local_url(settings) == "http://127.0.0.1:7861"
    assert settings.address == "http://0.0.0.0:7861"


def test_the_next_command_line_starts_afresh() -> None:
    read_arguments(["--say", "one"], "http://h")
    assert read_arguments(["--interactive"], "http://h").steps == []


@pytest.mark.parametrize(
    ("words", "word"),
    [
        ([], "nothing to say"),
        (["--digits", "12x"], "the keys are 0-9"),
        (["--voice", "joe", "--say", "a"], "rms"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(
    words: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        read_arguments(words, "http://h")
    assert stopped.value.code == 2
    assert word in capsys.readouterr().err


def test_steps_get_their_sound_before_the_call(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "q.wav", TONE, 8000)
    steps = prepare([("say", "two words"), ("digits", "1"), ("wav", tmp_path / "q.wav")], Whistle())
    said, keys, played = steps
    assert isinstance(said, Speech)
    assert (said.text, len(said.pcm16)) == ("two words", 2 * len(TONE))
    assert keys == Keys("1")
    assert isinstance(played, Speech)
    assert (played.text, played.pcm16.tolist(), played.rate_hz) == ("[q.wav]", TONE.tolist(), 8000)
    with pytest.raises(UnreadableSound, match="there is no file"):
        prepare([("wav", tmp_path / "none.wav")], Whistle())


def test_the_agent_s_stretches_are_heard_as_phrases_that_no_caller_cuts() -> None:
    agent = [
        Stretch(0, 1),
        Stretch(1.5, 2),
        Stretch(4, 5),
        Stretch(5.9, 7),
        Stretch(7.5, 40),
        Stretch(40.5, 41),
    ]
    caller = [Stretch(5.5, 5.8)]
    assert phrases(agent, caller) == [
        Stretch(0, 2),
        Stretch(4, 5),
        Stretch(5.9, 7),
        Stretch(7.5, 40),
        Stretch(40.5, 41),
    ]
    assert phrases([], caller) == []


def test_the_wait_is_from_the_caller_s_last_sound_to_the_agent_s_next() -> None:
    agent = [Stretch(0, 1), Stretch(3.5, 4), Stretch(4.5, 5), Stretch(10, 11)]
    caller = [_said(2, 3, "first"), _said(6, 7, "unanswered"), _said(8, 9, "last")]
    assert waits(caller, agent) == [Wait("first", 500.0), Wait("unanswered", None), Wait("last", 1000.0)]
    assert waits([], agent) == []


def test_a_transcript_is_in_order_of_time() -> None:
    agent = Saying("agent", "hello", Stretch(0.5, 1))
    assert transcript([_said(2, 3, "hi"), agent]) == "    0.50  agent   hello\n    2.00  caller  hi\n"


def test_the_journal_s_transcript_tells_what_was_said_and_what_was_only_partly_heard() -> None:
    assert journal_transcript(EVENTS).splitlines() == [
        "    2.50  caller  where is my order  (0.93 sure)",
        "    3.00  agent   What is its number? Mine is [EMAIL_1].",
        "    4.00          heard only: What is its",
        "    5.00  human   Ada: Hello",
    ]
    assert journal_transcript([]) == ""


def test_measured_turns_bear_the_caller_s_words() -> None:
    turns, labels = measured(EVENTS)
    assert [turn.total_ms for turn in turns] == [550.0]
    assert labels == ["where is my order"]


def _journal_app(app: FastAPI, answers: list[list[Event]]) -> None:
    """GET /calls/{sid} gives the answers one after the other, the last one for good."""

    @app.get("/calls/{call_sid}", response_model=None)
    async def calls(call_sid: str, request: Request) -> Response | dict[str, Any]:
        if request.headers.get("authorization") != "Bearer right":
            return Response(status_code=401)
        if not call_sid.startswith("CA"):
            return Response(status_code=404)
        events = answers.pop(0) if len(answers) > 1 else answers[0]
        return {"conversation_id": "c1", "events": [event.model_dump(mode="json") for event in events]}


@pytest.mark.asyncio
async def test_the_journal_is_read_until_the_end_of_the_call_stands_in_it(serve: Serve) -> None:
    app = FastAPI()
    _journal_app(app, [EVENTS[:2], EVENTS])
    assert await fetch_journal(serve(app), "CA1", "right") == EVENTS


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("call_sid", "token", "word"),
    [
        ("CA1", "", "set ADMIN_TOKEN"),
        ("CA1", "wrong", "another ADMIN_TOKEN"),
        ("XX1", "right", "does not know"),
    ],
)
async def test_without_a_journal_the_reason_is_given(serve: Serve, call_sid: str, token: str, word: str) -> None:
    app = FastAPI()
    _journal_app(app, [EVENTS])
    with pytest.raises(NoJournal, match=word):
        await fetch_journal(serve(app), call_sid, token)


def _answering() -> Callable[[Any, dict[str, Any]], Any]:
    """Greets; then answers 0.2 s of silence after speech, and each key, with a tone."""
    quiet_frames = 99

    async def on_message(agent: Any, message: dict[str, Any]) -> None:
        nonlocal quiet_frames
        if message["event"] == "media":
            quiet_frames = quiet_frames + 1 if message["media"]["payload"] == SILENCE else 0
        if message["event"] in ("start", "dtmf") or (message["event"] == "media" and quiet_frames == 10):
            await agent.play(TONE)

    return on_message


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@dataclass
class Talk:
    call: TwilioCall
    said: list[Saying]
    trouble: str
    printed: str


async def _talk(agent: Any, steps: list[Any], folder: Path, admin_token: str) -> Talk:
    out = io.StringIO()
    said: list[Saying] = []
    async with TwilioCall.dial(agent.voice_url) as call:
        trouble = await play(call, steps, said, quiet_secs=0.4, timeout_secs=3.0)
    await report(
        call,
        said,
        url=agent.base_url,
        admin_token=admin_token,
        ear=Loudness(),
        folder=folder,
        console=Console(file=out, width=100),
    )
    return Talk(call, said, trouble, out.getvalue())


@pytest.mark.asyncio
async def test_a_call_leaves_recording_transcript_latencies_and_waterfall(
    phone_agent: MakeAgent, tmp_path: Path
) -> None:
    agent = phone_agent(_answering())
    _journal_app(agent.app, [EVENTS])
    steps = [Speech("where is my order", np.tile(TONE, 2), 8000), Keys("5")]
    talk = await _talk(agent, steps, tmp_path / "a" / "b", "right")
    assert talk.trouble == ""
    files = {path.name: path for path in (tmp_path / "a" / "b").iterdir()}
    assert set(files) == {"call.wav", "transcript.txt", "latency.txt", "waterfall.png"}
    samples, rate_hz = soundfile.read(files["call.wav"], dtype="int16")
    assert (rate_hz, samples.shape) == (8000, (talk.call.recording.length_samples, 2))
    lines = [line.split(maxsplit=2)[1:] for line in files["transcript.txt"].read_text().splitlines()[1:6]]
    assert lines == [
        ["agent", "0.3 s of sound"],
        ["caller", "where is my order"],
        ["agent", "0.3 s of sound"],
        ["caller", "[keys 5]"],
        ["agent", "0.3 s of sound"],
    ]
    assert "heard only: What is its" in files["transcript.txt"].read_text()
    said, keys = waits(talk.said, talk.call.line.agent_stretches)
    assert said.waited_ms is not None
    assert said.waited_ms >= 200
    assert keys.waited_ms is not None
    assert f"{said.waited_ms:.0f}" in files["latency.txt"].read_text().split()
    assert "550" in talk.printed.split()
    assert files["waterfall.png"].stat().st_size > 5000


@pytest.mark.asyncio
async def test_without_a_token_the_call_still_leaves_what_the_caller_measured(
    phone_agent: MakeAgent, tmp_path: Path
) -> None:
    talk = await _talk(phone_agent(_answering()), [Keys("1")], tmp_path, "")
    assert "set ADMIN_TOKEN" in talk.printed
    assert _names(tmp_path) == {"call.wav", "transcript.txt", "latency.txt"}
    assert "By the server" not in (tmp_path / "transcript.txt").read_text()
    assert "[keys 1]" in (tmp_path / "latency.txt").read_text()


@pytest.mark.asyncio
async def test_an_agent_that_never_answers_is_trouble_and_the_report_is_still_made(
    phone_agent: MakeAgent, tmp_path: Path
) -> None:
    async def greets_only(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] == "start":
            await agent.play(TONE)

    steps = [Speech("hello", TONE, 8000), Speech("never said", TONE, 8000)]
    talk = await _talk(phone_agent(greets_only), steps, tmp_path, "")
    assert talk.trouble == "the agent did not finish within 3 s (hello)"
    assert [saying.text for saying in talk.said] == ["hello"]
    assert (tmp_path / "call.wav").stat().st_size > 44


@pytest.mark.asyncio
async def test_an_agent_that_hangs_up_leaves_the_rest_unsaid(phone_agent: MakeAgent, tmp_path: Path) -> None:
    answers = _answering()

    async def leaves(agent: Any, message: dict[str, Any]) -> None:
        await answers(agent, message)
        if message["event"] == "dtmf":
            await asyncio.sleep(0.1)
            await agent.hang_up()

    agent = phone_agent(leaves)
    talk = await _talk(agent, [Keys("1"), Speech("too late", TONE, 8000)], tmp_path, "")
    assert talk.trouble == "the agent hung up (too late)"
    assert [saying.text for saying in talk.said] == ["[keys 1]"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """`typed(text)` lets the text be standard input, with its end after it."""
    with contextlib.ExitStack() as opened:

        def type_in(text: str) -> None:
            reading, writing = os.pipe()
            os.write(writing, text.encode())
            os.close(writing)
            monkeypatch.setattr("sys.stdin", opened.enter_context(os.fdopen(reading)))

        yield type_in


@pytest.mark.asyncio
async def test_typed_lines_are_said_until_end_of_file_and_the_agent_s_words_are_printed(
    phone_agent: MakeAgent, typed: Callable[[str], None]
) -> None:
    out = io.StringIO()
    said: list[Saying] = []
    typed("hello there\n\n  goodbye \n")
    async with TwilioCall.dial(phone_agent(_answering()).voice_url) as call:
        await converse(call, Whistle(), Loudness(), said, Console(file=out))
    assert [saying.text for saying in said] == ["hello there", "goodbye"]
    assert len(call.line.agent_stretches) >= 2
    assert "agent   0.3 s of sound" in out.getvalue()


@pytest.mark.asyncio
async def test_a_typed_conversation_ends_when_the_agent_hangs_up(
    phone_agent: MakeAgent, typed: Callable[[str], None]
) -> None:
    async def leaves(agent: Any, message: dict[str, Any]) -> None:
        if message["event"] == "media" and message["media"]["payload"] != SILENCE:
            await agent.hang_up()

    typed("hello\nstill there\n")
    said: list[Saying] = []
    async with TwilioCall.dial(phone_agent(leaves).voice_url) as call:
        await converse(call, Whistle(), Loudness(), said, Console(file=io.StringIO()))
    assert call.ended == "agent"
    assert said == []
