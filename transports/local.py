"""The developer's own microphone and speakers: echo is cancelled, so that barge-in works without a headset.

    PortAudio's threads, 10 ms at a time                       the event loop

    speakers   <--- Playback (60 ms at most) <---------------- LocalOutput waits for room
       | what was really handed over
       v
    EchoCanceller (0.15 ms per block) --- 20 ms at a time ---> LocalInput
       ^
    microphone

There are no client events: a session starts by itself. Needs PortAudio, which pip brings on macOS and
Windows, and Debian as libportaudio2.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from ctypes import CDLL, CFUNCTYPE, c_char_p, c_int
from typing import Any

import numpy as np
from pipecat.frames.frames import (
    CancelWorkerFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageFrame,
    OutputTransportMessageUrgentFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport, TransportParams
from pywebrtc_audio import AudioProcessor

RATE_HZ = 16_000
BLOCK_SAMPLES = RATE_HZ // 100
BLOCK_BYTES = 2 * BLOCK_SAMPLES
LATENCY_SECS = 0.06
"""Asked of the device: less stutters when the interpreter is busy, more delays an interruption."""

_PLAYBACK_BLOCKS = 6
_BLOCKS_PER_HOP = 2
_HEARD_HOPS = 100
_SPARE_BLOCKS = 2

OnMessage = Callable[[dict[str, Any]], None]


class SoundUnavailable(Exception):
    """There is no PortAudio, no device, or not that one; the message says what to do."""


class Playback:
    """Sound that waits for the speakers: bounded, and safe between threads."""

    def __init__(self, capacity_bytes: int = _PLAYBACK_BLOCKS * BLOCK_BYTES) -> None:
        self._capacity_bytes = capacity_bytes
        self._pieces: deque[tuple[bytes, bool]] = deque()
        self._queued_bytes = 0
        self._lock = threading.Lock()

    @property
    def queued_bytes(self) -> int:
        return self._queued_bytes

    def offer(self, pcm: bytes, *, interruptible: bool = True) -> bool:
        """Take all of `pcm`, or nothing where the room is too small. An empty buffer takes any piece."""
        with self._lock:
            if self._queued_bytes and self._queued_bytes + len(pcm) > self._capacity_bytes:
                return False
            self._pieces.append((pcm, interruptible))
            self._queued_bytes += len(pcm)
            return True

    def take(self, size: int) -> bytes:
        """The next `size` bytes; silence where there are fewer."""
        taken = bytearray()
        with self._lock:
            while self._pieces and len(taken) < size:
                pcm, interruptible = self._pieces.popleft()
                wanted = size - len(taken)
                taken += pcm[:wanted]
                if len(pcm) > wanted:
                    self._pieces.appendleft((pcm[wanted:], interruptible))
            self._queued_bytes -= len(taken)
        return bytes(taken).ljust(size, b"\0")

    def drop(self) -> None:
        """Forget what may be interrupted."""
        with self._lock:
            self._pieces = deque(piece for piece in self._pieces if not piece[1])
            self._queued_bytes = sum(len(pcm) for pcm, _ in self._pieces)


class EchoCanceller:
    """Pairs what the microphone heard with what the speakers were given, and takes the echo out.

    The n-th block of the one meets the n-th of the other. So the bursts in which devices call do not shift
    them against each other, and no sound meets the microphone's before it was handed to the speakers: what
    the canceller cannot bear is an echo that comes before its cause. Where the two clocks drift apart by
    more than the bounds, the pairing moves by one block, and WebRTC's delay estimator follows.
    """

    def __init__(self, *, delay_secs: float, burst_blocks: int) -> None:
        """`delay_secs` is what both devices buffer; `burst_blocks` how many calls may come, or fail to, in a row."""
        self._burst_blocks = burst_blocks
        self._far: deque[bytes] = deque(maxlen=burst_blocks)
        self._near: deque[bytes] = deque()
        self._plays = False
        self._lock = threading.Lock()
        self._processor = AudioProcessor(
            sample_rate=RATE_HZ,
            echo_cancellation=True,
            noise_suppression=True,
            auto_gain_control=False,
            stream_delay_ms=round(delay_secs * 1000),
        )

    def played(self, block: bytes) -> None:
        """A block of BLOCK_BYTES was handed to the speakers."""
        with self._lock:
            self._plays = True
            self._far.append(block)

    def heard(self, block: bytes) -> Iterator[bytes]:
        """A block of the microphone in, as many without echo out as have their counterpart. One thread only."""
        self._near.append(block)
        while pair := self._next_pair():
            near, far = (np.frombuffer(side, np.int16) for side in pair)
            yield self._processor.process(near, far).tobytes()

    def _next_pair(self) -> tuple[bytes, bytes] | None:
        with self._lock:
            if not self._near:
                return None
            if self._far:
                return self._near.popleft(), self._far.popleft()
            if self._plays and len(self._near) <= self._burst_blocks:
                return None
            return self._near.popleft(), bytes(BLOCK_BYTES)


class SoundDevice:
    """An open microphone and speakers at RATE_HZ, mono, 16 bit."""

    def __init__(self, sounddevice: Any, microphone: int | str | None, speakers: int | str | None) -> None:
        shape = {"samplerate": RATE_HZ, "blocksize": BLOCK_SAMPLES, "channels": 1, "dtype": "int16"}
        shape |= {"latency": LATENCY_SECS, "finished_callback": self._on_finished}
        self._output = sounddevice.RawOutputStream(device=speakers, callback=self._on_output, **shape)
        self._input = sounddevice.RawInputStream(device=microphone, callback=self._on_input, **shape)
        self.microphone_name: str = sounddevice.query_devices(self._input.device)["name"]
        self.speakers_name: str = sounddevice.query_devices(self._output.device)["name"]
        self._playback = Playback()
        self._echo = EchoCanceller(
            delay_secs=self._output.latency + self._input.latency,
            burst_blocks=round(self._output.latency * RATE_HZ / BLOCK_SAMPLES) + _SPARE_BLOCKS,
        )
        self._clean = bytearray()
        self._heard: asyncio.Queue[bytes] = asyncio.Queue(_HEARD_HOPS)
        self._room = asyncio.Event()
        self._interruptions = 0
        self._closing = False
        self.lost = asyncio.Event()
        """Set when a device went away by itself."""

    @classmethod
    def open(cls, microphone: int | str | None = None, speakers: int | str | None = None) -> SoundDevice:
        """Open devices by number or part of their name, None being the system's own. Blocks.

        Raises SoundUnavailable.
        """
        sounddevice = _sounddevice()
        try:
            return cls(sounddevice, microphone, speakers)
        except (sounddevice.PortAudioError, ValueError) as fault:
            raise SoundUnavailable(f"Cannot open the microphone and speakers: {fault}.\n{list_devices()}") from None

    async def start(self) -> None:
        """Let sound flow to and from the running loop."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        self._output.start()
        self._input.start()

    async def close(self) -> None:
        """Stop at once; again is harmless."""
        self._closing = True
        for stream in (self._input, self._output):
            await asyncio.to_thread(stream.close)

    async def play(self, pcm: bytes, *, interruptible: bool = True) -> bool:
        """Wait until `pcm` has room before the speakers; False where an interruption or a lost device came first."""
        interruptions = self._interruptions
        for start in range(0, len(pcm), BLOCK_BYTES):
            piece = pcm[start : start + BLOCK_BYTES]
            self._room.clear()
            while not self._playback.offer(piece, interruptible=interruptible):
                await self._room.wait()
                self._room.clear()
                if self.lost.is_set() or (interruptible and interruptions != self._interruptions):
                    return False
        return True

    def interrupt(self) -> None:
        """Be silent now: what waits is dropped."""
        self._interruptions += 1
        self._playback.drop()
        self._room.set()

    async def played_out(self) -> None:
        """Wait until everything given was heard."""
        while self._playback.queued_bytes and not self.lost.is_set():
            self._room.clear()
            await self._room.wait()
        await asyncio.sleep(self._output.latency)

    async def heard(self) -> bytes:
        """The next 20 ms of the microphone, without echo. When nobody reads for 2 s the oldest is dropped."""
        return await self._heard.get()

    def _on_output(self, out: Any, _frames: int, _time: Any, _status: Any) -> None:
        waiting = self._playback.queued_bytes
        block = self._playback.take(len(out))
        out[:] = block
        self._echo.played(block)
        if waiting:
            self._tell_loop(self._room.set)

    def _on_input(self, sound: Any, _frames: int, _time: Any, _status: Any) -> None:
        for block in self._echo.heard(bytes(sound)):
            self._clean += block
            if len(self._clean) >= _BLOCKS_PER_HOP * BLOCK_BYTES:
                self._tell_loop(self._keep, bytes(self._clean))
                self._clean.clear()

    def _on_finished(self) -> None:
        if not self._closing:
            self._tell_loop(self._lose)

    def _tell_loop(self, call: Callable[..., object], *arguments: object) -> None:
        if not self._closing:
            self._loop.call_soon_threadsafe(call, *arguments)

    def _keep(self, pcm: bytes) -> None:
        if self._heard.full():
            self._heard.get_nowait()
        self._heard.put_nowait(pcm)

    def _lose(self) -> None:
        self.lost.set()
        self._room.set()


class LocalInput(BaseInputTransport):
    """The microphone, without echo, as audio frames of 20 ms."""

    def __init__(self, device: SoundDevice, params: TransportParams) -> None:
        super().__init__(params)
        self._device = device
        self._tasks: list[asyncio.Task[None]] = []
        self._hung_up = asyncio.Event()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)
        await self._device.start()
        ends = (self._hung_up, self._device.lost)
        self._tasks = [self.create_task(task) for task in (self._listen(), *map(self._end_after, ends))]

    async def cleanup(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await self.cancel_task(task)
        await super().cleanup()

    def hang_up(self) -> None:
        """End the session, now or as soon as it has begun."""
        self._hung_up.set()

    async def _listen(self) -> None:
        while True:
            await self.push_audio_frame(InputAudioRawFrame(await self._device.heard(), RATE_HZ, 1))

    async def _end_after(self, event: asyncio.Event) -> None:
        await event.wait()
        await self.push_frame(CancelWorkerFrame(), FrameDirection.UPSTREAM)


class LocalOutput(BaseOutputTransport):
    """Audio frames to the speakers, in their own time; messages for a client to `on_message`."""

    def __init__(self, device: SoundDevice, params: TransportParams, on_message: OnMessage) -> None:
        super().__init__(params)
        self._device = device
        self._on_message = on_message

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def stop(self, frame: EndFrame) -> None:
        await super().stop(frame)
        await self._device.played_out()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._device.interrupt()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        return await self._device.play(frame.audio, interruptible=frame.interruptible)

    async def send_message(self, frame: OutputTransportMessageFrame | OutputTransportMessageUrgentFrame) -> None:
        self._on_message(frame.message)


class LocalTransport(BaseTransport):
    """One session over a SoundDevice, which its owner opens and closes. A device that is lost hangs up."""

    def __init__(self, device: SoundDevice, on_message: OnMessage = lambda message: None) -> None:
        """`on_message` is called in the loop with each RTVI message for a client."""
        super().__init__()
        self._device = device
        params = TransportParams(
            audio_in_enabled=True,
            audio_in_sample_rate=RATE_HZ,
            audio_out_enabled=True,
            audio_out_sample_rate=RATE_HZ,
            audio_out_10ms_chunks=2,
            audio_out_end_silence_secs=0,
        )
        self._input = LocalInput(device, params)
        self._output = LocalOutput(device, params, on_message)

    def input(self) -> LocalInput:
        return self._input

    def output(self) -> LocalOutput:
        return self._output

    @property
    def lost(self) -> bool:
        """Whether the device went away by itself."""
        return self._device.lost.is_set()

    def hang_up(self) -> None:
        """End the session as a caller does who puts the phone down."""
        self._input.hang_up()


def list_devices() -> str:
    """The devices there are, one a line with its number, for people. Raises SoundUnavailable without PortAudio."""
    devices = str(_sounddevice().query_devices())
    if not devices.strip():
        return "There is no sound device on this machine."
    return f"Devices (> is the default microphone, < the default speakers, * both):\n{devices}"


def _sounddevice() -> Any:
    """The library, imported when it is needed: it fails at once without PortAudio."""
    try:
        import sounddevice

        _quieten_alsa()
    except OSError:
        raise SoundUnavailable(
            "PortAudio is not installed; run: apt-get install libportaudio2 (Debian, Ubuntu), "
            "brew install portaudio (macOS)"
        ) from None
    return sounddevice


@CFUNCTYPE(None, c_char_p, c_int, c_char_p, c_int, c_char_p)
def _say_nothing(*_: object) -> None: ...


def _quieten_alsa() -> None:
    """ALSA writes each underrun to standard error, in the middle of the captions."""
    with suppress(OSError):
        CDLL("libasound.so.2").snd_lib_error_set_handler(_say_nothing)
