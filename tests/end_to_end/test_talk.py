"""`scripts/talk` on a sound server of the test's own: two null sinks are the agent's speakers and its room.

agent's speakers  --(echo, by module-loopback)-->  room  -->  agent's microphone
        |                                           ^
        v                                           |
   the recording                              flite callers
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from lab.caller import FliteCaller, WhisperEar
from pipelines.local import Captions, Line
from tests.conftest import LIBRARY

ROOT = Path(__file__).parents[2]
RATE_HZ = 16_000
ALSA_PULSE = "usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so"
ECHO_VOLUME = "63%"
"""Pulse's scale is cubic: the echo comes back 12 dB weaker."""

pytestmark = pytest.mark.timeout(240)


def missing() -> list[str]:
    """What these tests need and this machine lacks, as Debian's packages."""
    needs = [("pulseaudio", "pulseaudio"), ("pactl", "pulseaudio-utils"), ("parec", "pulseaudio-utils")]
    lacks = {package for tool, package in needs if shutil.which(tool) is None}
    if not list(Path("/").glob(ALSA_PULSE)):
        lacks.add("libasound2-plugins")
    return sorted(lacks)


class SoundServer:
    """A PulseAudio of its own, in its own folders."""

    def __init__(self, folder: Path) -> None:
        address = folder / "native"
        self.recorded = folder / "agent.raw"
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        folders = {name: str(folder) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "PULSE_RUNTIME_PATH")}
        self.env = {**inherited, **folders, "PULSE_SERVER": f"unix:{address}"}
        self.env |= {"PULSE_SINK": "agent", "PULSE_SOURCE": "room.monitor"}
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"]
        command += [f"--load=module-native-protocol-unix socket={address} auth-anonymous=1"]
        command += [f"--load=module-null-sink sink_name={name}" for name in ("agent", "room")]
        self._log = (folder / "pulseaudio.log").open("w")
        self._server = subprocess.Popen(command, env=self.env, stdout=self._log, stderr=self._log)
        until(lambda: subprocess.run(["pactl", "info"], env=self.env, capture_output=True).returncode == 0, 20)
        shape = [f"--rate={RATE_HZ}", "--channels=1", "--format=s16le", "--raw", "--latency-msec=20"]
        with self.recorded.open("wb") as file:
            self._recorder = subprocess.Popen(["parec", "-d", "agent.monitor", *shape], env=self.env, stdout=file)

    def control(self, *words: str) -> str:
        return subprocess.run(["pactl", *words], env=self.env, check=True, capture_output=True, text=True).stdout

    def add_echo(self) -> None:
        """The speakers are heard in the room, 60 ms later and 12 dB weaker."""
        options = ["latency_msec=60", "source_dont_move=1", "sink_dont_move=1"]
        self.control("load-module", "module-loopback", "source=agent.monitor", "sink=room", *options)
        inputs = self.control("list", "short", "sink-inputs").split("\n")
        number = next(line.split("\t")[0] for line in inputs if "module-loopback" in line)
        self.control("set-sink-input-volume", number, ECHO_VOLUME)

    def say(self, voice: str, text: str) -> None:
        """Somebody in the room says something; returns when it was said."""
        samples, rate_hz = FliteCaller(voice).synthesise(text)  # type: ignore[arg-type]
        path = self.recorded.with_name("caller.wav")
        soundfile.write(path, samples, rate_hz)
        subprocess.run(["paplay", "-d", "room", str(path)], env=self.env, check=True)

    @property
    def now(self) -> int:
        """How many samples the speakers have played."""
        return self.recorded.stat().st_size // 2

    def played(self, since: int) -> npt.NDArray[np.int16]:
        whole = self.recorded.read_bytes()
        return np.frombuffer(whole[: len(whole) // 2 * 2], np.int16)[since:]

    def speech_secs(self, since: int) -> float:
        """How long the agent has spoken, from its first sound on."""
        sound = self.played(since)
        loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 500)
        return (len(sound) - int(loud[0])) / RATE_HZ if len(loud) else 0.0

    def stop(self) -> None:
        for process in (self._server, self._recorder):
            process.terminate()
            process.wait(timeout=20)
        self._log.close()


class Talking:
    """`pipelines.local` in its own process; `lines` are what it printed."""

    def __init__(self, sound: SoundServer, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.lines: list[str] = []
        command = [sys.executable, "-m", "pipelines.local", "--business", str(LIBRARY), "--data-dir", str(data_dir)]
        self._process = subprocess.Popen(
            command,
            cwd=data_dir,
            env={**sound.env, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def said(self, who: str) -> list[str]:
        return [line.removeprefix(f"{who}: ") for line in self.lines if line.startswith(f"{who}: ")]

    def wait_for(self, who: str, count: int) -> str:
        """The caption of the `count`-th thing that `who` said."""
        until(lambda: len(self.said(who)) >= count or self._process.poll() is not None, 90)
        assert len(self.said(who)) >= count, self.lines
        return self.said(who)[count - 1]

    def hang_up(self) -> int:
        self._process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        code = self._process.wait(timeout=30)
        self._reader.join(timeout=5)
        return code

    def events(self, kind: str) -> list[dict[str, Any]]:
        with sqlite3.connect(self.data_dir / "openline.db") as journal:
            rows = journal.execute("SELECT body FROM events WHERE kind = ? ORDER BY version", (kind,)).fetchall()
        return [json.loads(body) for (body,) in rows]


def until(happened: Callable[[], bool], timeout_secs: float) -> None:
    """Wait for another process; fails when it takes too long."""
    ends = monotonic() + timeout_secs
    pause = threading.Event()
    while not happened():
        assert monotonic() < ends, "another process took too long"
        pause.wait(0.1)


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", text.lower()))


@pytest.fixture
def sound() -> Iterator[SoundServer]:
    if lacks := missing():
        what = f"these tests need: apt-get install {' '.join(lacks)}"
        pytest.fail(what) if os.environ.get("CI") == "true" else pytest.skip(what)
    with tempfile.TemporaryDirectory(prefix="talk-") as folder:  # a socket's path may have 107 characters
        server = SoundServer(Path(folder))
        yield server
        server.stop()


@pytest.fixture
def talking(sound: SoundServer, settings: Any) -> Iterator[Talking]:
    with Talking(sound, settings.data_dir) as talking:
        yield talking


def test_a_question_into_the_microphone_is_answered_from_the_speakers(
    sound: SoundServer, talking: Talking, ear: WhisperEar
) -> None:
    assert "Finn" in talking.wait_for("Finn", 1)
    asked_at = sound.now
    sound.say("rms", "How many books can I borrow at the same time?")
    caption = talking.wait_for("Finn", 2)
    heard = ear.hear(sound.played(asked_at), RATE_HZ)
    assert talking.hang_up() == 0
    told = talking.events("agent_said")[-1]["text"]
    assert "20" in told
    assert len(words(heard) & words(told)) >= 0.6 * len(words(told)), (heard, told)
    assert caption == told
    assert {"books", "borrow"} <= words(talking.said("you")[0])
    assert talking.events("session_joined")[0]["channel"] == "local"
    assert talking.events("session_left")[0]["reason"] == "closed"
    assert talking.lines[-1] == "Hung up."
    assert "Traceback" not in "\n".join(talking.lines)


def test_the_agent_does_not_interrupt_itself_but_a_caller_over_it_does(sound: SoundServer, talking: Talking) -> None:
    sound.add_echo()
    talking.wait_for("Finn", 1)
    sound.say("rms", "How many books can I borrow at the same time?")
    talking.wait_for("Finn", 2)
    assert [heard["complete"] for heard in talking.events("heard")] == [True, True]
    assert len(talking.events("user_said")) == 1
    asked_at = sound.now
    sound.say("rms", "What happens when I bring a book back late?")
    until(lambda: sound.speech_secs(asked_at) > 1.5, 60)
    sound.say("awb", "Excuse me, when are you open on Sunday?")
    cut = talking.wait_for("Finn", 3)
    assert talking.hang_up() == 0
    heard, told = talking.events("heard")[2], talking.events("agent_said")[2]["text"]
    assert not heard["complete"]
    assert cut == f"{heard['text']} —"
    assert len(heard["text"]) < len(told)


def test_when_the_sound_goes_away_the_session_is_lost_and_says_so(sound: SoundServer, talking: Talking) -> None:
    until(lambda: sound.speech_secs(0) > 0.5, 90)
    sound.stop()
    assert talking.ended() == 1
    assert "The microphone or the speakers went away." in talking.lines
    assert talking.events("session_left")[0]["reason"] == "lost"


# Captions


def message(kind: str, **data: Any) -> dict[str, Any]:
    return {"label": "rtvi-ai", "type": kind, "data": data}


def caller(text: str, *, final: bool) -> dict[str, Any]:
    return message("user-input", text=text, input_type="transcription", final=final)


def agent(segment: int, said: str, rest: str) -> dict[str, Any]:
    progress = {"accumulated_text": said, "remaining_text": rest}
    return message("bot-output", segment_id=segment, text=f"{said} {rest}".strip(), spoken_progress=progress)


def heard(text: str, *, complete: bool) -> dict[str, Any]:
    return message("server-message", type="heard", turn_id="t", text=text, complete=complete)


class Kept:
    """Captions with the lines that they settled."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.lines: list[Line] = []
        self.captions = Captions(self.lines.append)
        for each in messages:
            self.captions.take(each)


def test_what_the_ear_believes_is_open_until_it_is_sure() -> None:
    kept = Kept(caller("where is", final=False))
    assert (kept.captions.hearing, kept.lines) == ("where is", [])
    kept.captions.take(caller("Where is my order?", final=True))
    assert (kept.captions.hearing, kept.lines) == ("", [Line("you", "Where is my order?")])


def test_a_silence_that_the_ear_reports_is_no_line() -> None:
    assert Kept(caller(" ", final=True)).lines == []


def test_the_agents_words_move_from_coming_to_heard() -> None:
    kept = Kept(agent(1, "", "We are open."), agent(2, "", "From ten."), agent(1, "We are", "open."))
    assert kept.captions.saying == ("We are", "open. From ten.")
    kept.captions.take(message("bot-output", segment_id=1, text="We are open.", spoken_status="completed"))
    assert kept.captions.saying == ("We are open.", "From ten.")
    kept.captions.take(heard("We are open. From ten.", complete=True))
    assert kept.lines == [Line("agent", "We are open. From ten.")]
    assert kept.captions.saying == ("", "")


def test_words_that_come_after_an_interruption_do_not_come_back() -> None:
    kept = Kept(agent(1, "We are", "open."), heard("We are", complete=False), agent(1, "We are open.", ""))
    assert kept.lines == [Line("agent", "We are", cut_off=True)]
    assert kept.captions.saying == ("", "")


def test_hanging_up_keeps_what_was_heard_until_then() -> None:
    kept = Kept(agent(1, "We are", "open."))
    kept.captions.close()
    kept.captions.close()
    assert kept.lines == [Line("agent", "We are", cut_off=True)]


def test_what_the_agent_is_doing_is_told_in_words() -> None:
    told = [
        Kept(each).captions.doing
        for each in (
            message("user-started-speaking"),
            message("user-stopped-speaking"),
            message("bot-started-speaking"),
            message("bot-interrupted"),
            message("server-message", type="state", state="tool", words="Looking up your order"),
            message("server-message", type="state", state="handed_off", words=""),
        )
    ]
    assert told == ["hearing you", "thinking", "speaking", "listening", "Looking up your order", "handed off"]
