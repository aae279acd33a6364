"""The local microphone and speakers without a device: buffers, the echo's alignment, the device's callbacks."""

from __future__ import annotations

import asyncio
import builtins
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner

from transports.local import (
    BLOCK_BYTES,
    BLOCK_SAMPLES,
    RATE_HZ,
    EchoCanceller,
    LocalTransport,
    Playback,
    SoundDevice,
    SoundUnavailable,
    list_devices,
)

Samples = npt.NDArray[np.int16]
LOUD = b"\x11\x22" * BLOCK_SAMPLES
QUIET = bytes(BLOCK_BYTES)


# What waits for the speakers


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.integers(1, 64))
def test_the_speakers_get_what_was_given_in_order_then_silence(pieces: list[bytes], size: int) -> None:
    playback = Playback(10_000)
    assert all(playback.offer(piece) for piece in pieces)
    whole = b"".join(pieces)
    taken = b"".join(playback.take(size) for _ in range(len(whole) // size + 2))
    assert taken == whole.ljust(len(taken), b"\0")
    assert playback.queued_bytes == 0


def test_what_waits_is_bounded_but_a_large_piece_is_not_refused_for_ever() -> None:
    playback = Playback(100)
    assert playback.offer(bytes(60))
    assert not playback.offer(bytes(60))
    assert playback.queued_bytes == 60
    playback.take(60)
    assert playback.offer(bytes(500))


def test_an_interruption_drops_all_but_what_must_be_heard() -> None:
    playback = Playback(100)
    playback.offer(b"aa")
    playback.offer(b"MM", interruptible=False)
    playback.offer(b"bb")
    playback.drop()
    assert playback.queued_bytes == 2
    assert playback.take(4) == b"MM\0\0"


def test_a_piece_half_played_keeps_its_mark_when_an_interruption_comes() -> None:
    playback = Playback(100)
    playback.offer(b"MNOP", interruptible=False)
    assert playback.take(2) == b"MN"
    playback.drop()
    assert playback.take(2) == b"OP"


# Echo


def babble(secs: float, seed: int) -> Samples:
    """Noise that swells and falls as syllables do."""
    time = np.arange(int(secs * RATE_HZ)) / RATE_HZ
    swell = np.clip(np.sin(2 * np.pi * 3.1 * time + seed), 0, None)
    return (np.random.default_rng(seed).normal(0, 3000, len(time)) * swell).clip(-32768, 32767).astype(np.int16)


def blocks(samples: Samples) -> list[bytes]:
    return [samples[start : start + BLOCK_SAMPLES].tobytes() for start in range(0, len(samples), BLOCK_SAMPLES)]


def level_db(samples: Samples) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(float) ** 2)) + 1))


def canceller(burst_blocks: int = 8) -> EchoCanceller:
    return EchoCanceller(delay_secs=0.12, burst_blocks=burst_blocks)


def through(echo: EchoCanceller, far: list[bytes], near: list[bytes], far_burst: int, near_burst: int) -> Samples:
    """Both sides in real time, each called once in so many blocks."""
    out = b""
    for now in range(len(near)):
        if now % far_burst == 0:
            for block in far[now : now + far_burst]:
                echo.played(block)
        if now % near_burst == near_burst - 1:
            out += b"".join(clean for block in near[now - near_burst + 1 : now + 1] for clean in echo.heard(block))
    return np.frombuffer(out, np.int16)


@pytest.mark.parametrize("delay_ms", [40, 120, 300])
@pytest.mark.parametrize(("far_burst", "near_burst"), [(1, 1), (2, 2), (4, 1), (1, 4), (4, 3)])
def test_the_agents_own_voice_is_taken_out_however_the_devices_call(
    delay_ms: int, far_burst: int, near_burst: int
) -> None:
    said = babble(6, seed=1)
    echo = (np.concatenate([np.zeros(delay_ms * RATE_HZ // 1000, np.int16), said]) * 0.4).astype(np.int16)
    near = echo[: len(said)]
    clean = through(canceller(), blocks(said), blocks(near), far_burst, near_burst)
    settled = slice(3 * RATE_HZ, None)
    assert level_db(near[settled]) - level_db(clean[settled]) > 30


def test_a_voice_over_the_agents_is_still_there() -> None:
    said, caller = babble(8, seed=1), babble(8, seed=2)
    caller[: 5 * RATE_HZ] = 0
    echo = (np.concatenate([np.zeros(RATE_HZ // 10, np.int16), said])[: len(said)] * 0.25).astype(np.int16)
    clean = through(canceller(), blocks(said), blocks(echo + caller), 1, 1)
    over = slice(5 * RATE_HZ + RATE_HZ // 2, len(clean))
    assert level_db(caller[over]) - level_db(clean[over]) < 12
    assert np.corrcoef(np.abs(caller[over]), np.abs(clean[over]))[0, 1] > 0.3


def test_the_microphone_is_heard_before_the_speakers_ever_play() -> None:
    echo = canceller()
    heard = [clean for block in blocks(babble(1, seed=3)) for clean in echo.heard(block)]
    assert len(heard) == 100


def test_the_microphone_waits_for_the_speakers_a_little_and_never_for_ever() -> None:
    echo = canceller(burst_blocks=3)
    echo.played(QUIET)
    given_back = [len(list(echo.heard(QUIET))) for _ in range(8)]
    assert given_back == [1, 0, 0, 0, 1, 1, 1, 1]


def test_no_block_of_the_microphone_is_lost_when_the_speakers_catch_up() -> None:
    echo = canceller(burst_blocks=6)
    echo.played(QUIET)
    waited = [len(list(echo.heard(QUIET))) for _ in range(5)]
    for _ in range(5):
        echo.played(QUIET)
    assert waited == [1, 0, 0, 0, 0]
    assert len(list(echo.heard(QUIET))) == 5


# The device


class FakeStream:
    """A PortAudio stream whose callbacks the test makes."""

    latency = 0.06

    def __init__(self, *, callback: Callable[..., None], finished_callback: Callable[[], None], **shape: Any) -> None:
        self.callback, self.finished, self.shape = callback, finished_callback, shape
        self.device = shape["device"] or 0
        self.closed = False

    def start(self) -> None: ...

    def close(self) -> None:
        self.closed = True
        self.finished()


class FakePortAudio(SimpleNamespace):
    """What transports/local.py uses of `sounddevice`, with one device or none."""

    class PortAudioError(Exception): ...

    def __init__(self, devices: str = "* 0 Headset, ALSA (1 in, 2 out)", refuses: str = "") -> None:
        super().__init__()
        self.devices, self.refuses = devices, refuses
        self.streams: list[FakeStream] = []

    def RawInputStream(self, **shape: Any) -> FakeStream:
        return self._stream(shape)

    def RawOutputStream(self, **shape: Any) -> FakeStream:
        return self._stream(shape)

    def _stream(self, shape: dict[str, Any]) -> FakeStream:
        if self.refuses:
            raise self.PortAudioError(self.refuses)
        self.streams.append(FakeStream(**shape))
        return self.streams[-1]

    def query_devices(self, device: int | None = None) -> Any:
        return self.devices if device is None else {"name": "Headset"}


@pytest.fixture
def port_audio(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


async def loop_turns() -> None:
    """Let what was called from a device's thread, and whoever waits for it, have their turn."""
    for _ in range(5):
        await asyncio.sleep(0)


class Opened:
    """An open device, and the hands that turn its callbacks."""

    def __init__(self, port_audio: FakePortAudio) -> None:
        self.device = SoundDevice.open()
        self.speakers, self.microphone = port_audio.streams

    async def play_out(self, count: int = 1) -> bytes:
        """The speakers ask for blocks."""
        out = b""
        for _ in range(count):
            block = bytearray(BLOCK_BYTES)
            self.speakers.callback(block, BLOCK_SAMPLES, None, None)
            out += block
            await loop_turns()
        return out

    async def hear(self, samples: Samples) -> None:
        """The microphone brings blocks."""
        for block in blocks(samples):
            self.microphone.callback(block, BLOCK_SAMPLES, None, None)
        await loop_turns()


@pytest.fixture
async def opened(port_audio: FakePortAudio) -> Opened:
    opened = Opened(port_audio)
    await opened.device.start()
    return opened


async def stands_still(task: asyncio.Task[Any]) -> bool:
    await loop_turns()
    return not task.done()


def test_the_device_is_opened_in_mono_at_16_khz_in_blocks_of_10_ms(port_audio: FakePortAudio) -> None:
    SoundDevice.open(microphone="USB", speakers=3)
    speakers, microphone = port_audio.streams
    assert (microphone.shape["device"], speakers.shape["device"]) == ("USB", 3)
    for stream in port_audio.streams:
        assert {"samplerate": 16_000, "channels": 1, "dtype": "int16", "blocksize": 160}.items() <= stream.shape.items()


async def test_speech_goes_out_no_faster_than_the_device_plays_it(opened: Opened) -> None:
    playing = asyncio.create_task(opened.device.play(LOUD * 10))
    assert await stands_still(playing)
    assert await opened.play_out(3) == LOUD * 3
    assert await stands_still(playing)
    assert await opened.play_out(1) == LOUD
    assert await playing
    assert await opened.play_out(7) == LOUD * 6 + QUIET


async def test_an_interruption_silences_the_speakers_and_ends_the_wait(opened: Opened) -> None:
    playing = asyncio.create_task(opened.device.play(LOUD * 10))
    assert await stands_still(playing)
    opened.device.interrupt()
    assert await playing is False
    assert await opened.play_out() == QUIET


async def test_words_that_must_be_heard_outlast_an_interruption(opened: Opened) -> None:
    playing = asyncio.create_task(opened.device.play(LOUD * 8, interruptible=False))
    assert await stands_still(playing)
    opened.device.interrupt()
    assert await opened.play_out(8) == LOUD * 6 + LOUD * 2
    assert await playing


async def test_the_end_waits_until_the_last_word_was_played(opened: Opened) -> None:
    await opened.device.play(LOUD * 2)
    ending = asyncio.create_task(opened.device.played_out())
    await opened.play_out(1)
    assert await stands_still(ending)
    await opened.play_out(1)
    await ending


async def test_the_microphone_arrives_in_pieces_of_20_ms(opened: Opened) -> None:
    await opened.hear(babble(0.06, seed=4))
    assert [len(await opened.device.heard()) for _ in range(3)] == [2 * BLOCK_BYTES] * 3


async def test_when_nobody_reads_the_microphone_keeps_the_latest_two_seconds(opened: Opened) -> None:
    await opened.hear(babble(3, seed=5))
    assert opened.device._heard.qsize() == 100


async def test_what_is_played_does_not_come_back_from_the_microphone(opened: Opened) -> None:
    said = babble(5, seed=6)
    echo = (np.concatenate([np.zeros(1600, np.int16), said]) * 0.5).astype(np.int16)
    clean = b""
    for at, block in enumerate(blocks(said)):
        await opened.device.play(block)
        assert await opened.play_out() == block
        await opened.hear(echo[at * BLOCK_SAMPLES : (at + 1) * BLOCK_SAMPLES])
        if at % 2:
            clean += await opened.device.heard()
    assert level_db(echo[3 * RATE_HZ :]) - level_db(np.frombuffer(clean, np.int16)[3 * RATE_HZ :]) > 30


async def test_a_device_that_goes_away_is_noticed_and_one_that_is_closed_is_not_lost(opened: Opened) -> None:
    await opened.device.close()
    await loop_turns()
    assert opened.speakers.closed and opened.microphone.closed
    assert not opened.device.lost.is_set()


async def test_nobody_waits_for_a_device_that_went_away(opened: Opened) -> None:
    playing = asyncio.create_task(opened.device.play(LOUD * 10))
    assert await stands_still(playing)
    opened.speakers.finished()
    assert await playing is False
    assert opened.device.lost.is_set()
    await opened.device.played_out()


def test_without_portaudio_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real_import(name, *rest)

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    for use in (SoundDevice.open, list_devices):
        with pytest.raises(SoundUnavailable, match=r"apt-get install libportaudio2.*brew install portaudio"):
            use()


def test_a_device_that_cannot_be_opened_is_told_with_those_there_are(port_audio: FakePortAudio) -> None:
    port_audio.refuses = "Error querying device 7"
    with pytest.raises(SoundUnavailable, match="device 7") as raised:
        SoundDevice.open(microphone=7)
    assert "0 Headset" in str(raised.value)


def test_a_machine_without_a_device_says_so(port_audio: FakePortAudio) -> None:
    port_audio.refuses, port_audio.devices = "Error querying device -1", ""
    with pytest.raises(SoundUnavailable, match="no sound device on this machine"):
        SoundDevice.open()


# The transport in a pipeline


class Tap(FrameProcessor):
    """Keeps what passes."""

    def __init__(self) -> None:
        super().__init__()
        self.frames: list[Frame] = []
        self.arrived = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        self.arrived.set()
        await self.push_frame(frame, direction)

    async def until(self, kind: type[Frame]) -> Frame:
        while not (found := [frame for frame in self.frames if isinstance(frame, kind)]):
            self.arrived.clear()
            await self.arrived.wait()
        return found[0]


class Session:
    """A running pipeline over a fake device."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.messages: list[dict[str, Any]] = []
        self.transport = LocalTransport(opened.device, self.messages.append)
        self.heard, self.played = Tap(), Tap()
        pipeline = Pipeline([self.transport.input(), self.heard, self.transport.output(), self.played])
        self.worker = PipelineWorker(pipeline, enable_rtvi=False, idle_timeout_secs=None)

    async def __aenter__(self) -> Session:
        self.running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.transport.hang_up()
        await self.running

    async def begun(self) -> None:
        """Wait until frames flow."""
        assert await self.worker.flush_pipeline()

    async def _run(self) -> None:
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        await runner.run()


async def test_the_microphone_enters_the_pipeline_as_audio_frames(opened: Opened) -> None:
    async with Session(opened) as session:
        await session.begun()
        await opened.hear(babble(0.02, seed=7))
        frame = await session.heard.until(InputAudioRawFrame)
    assert isinstance(frame, InputAudioRawFrame)
    assert (frame.sample_rate, frame.num_channels, len(frame.audio)) == (RATE_HZ, 1, 2 * BLOCK_BYTES)


async def test_hanging_up_ends_the_session_even_before_it_began(opened: Opened) -> None:
    async with Session(opened) as session:
        session.transport.hang_up()
        await session.running
    assert any(isinstance(frame, CancelFrame) for frame in session.played.frames)


async def test_a_lost_device_hangs_up(opened: Opened) -> None:
    async with Session(opened) as session:
        await session.begun()
        opened.microphone.finished()
        await session.running
    assert any(isinstance(frame, CancelFrame) for frame in session.played.frames)


async def test_a_session_that_ends_plays_its_last_words_out(opened: Opened) -> None:
    out = b""
    async with Session(opened) as session:
        await session.worker.queue_frames([TTSAudioRawFrame(LOUD * 20, RATE_HZ, 1), TTSStoppedFrame(), EndFrame()])
        while not session.running.done():
            out += await opened.play_out()
    assert out.replace(QUIET, b"") == LOUD * 20
    assert any(isinstance(frame, EndFrame) for frame in session.played.frames)


async def test_audio_that_an_interruption_cut_is_not_reported_as_played(opened: Opened) -> None:
    async with Session(opened) as session:
        await session.worker.queue_frame(TTSAudioRawFrame(LOUD * 100, RATE_HZ, 1))
        await session.played.until(OutputAudioRawFrame)
        await session.worker.queue_frame(InterruptionFrame())
        await session.played.until(InterruptionFrame)
        assert await session.worker.flush_pipeline()
        after = await opened.play_out(10)
    played = [frame for frame in session.played.frames if isinstance(frame, OutputAudioRawFrame)]
    in_hand, room = 2 * len(LOUD), 6 * len(LOUD)
    assert len(after.replace(QUIET, b"")) <= in_hand
    assert 0 < sum(len(frame.audio) for frame in played) <= room + in_hand


async def test_messages_for_a_client_reach_the_one_who_asked(opened: Opened) -> None:
    async with Session(opened) as session:
        await session.worker.queue_frame(OutputTransportMessageUrgentFrame({"type": "server-message"}))
        assert await session.worker.flush_pipeline()
    assert session.messages == [{"type": "server-message"}]
