"""One telephone line, 20 ms at a time, without a clock or a socket of its own.

    caller: say / press --> queue   --tick--> frame for the agent
    agent:  play / mark --> playout --tick--> what the caller hears, marks that were passed
                            clear --> playout emptied, its marks given back

A carrier calls `tick` every 20 ms and moves the bytes; all times are seconds since the line opened,
counted in played samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from lab.carriers import mulaw
from lab.carriers.mulaw import RATE_HZ, Samples
from lab.recording import Recording

FRAME_SAMPLES = 160
FRAME_SECS = FRAME_SAMPLES / RATE_HZ

AUDIBLE_PEAK = 250
"""A frame whose loudest sample reaches this is sound, not comfort noise: -42 dBFS."""

SPEECH_SHARE = 0.03
"""In what the caller says, a room's noise under this share of the loudest sample is no speech."""

PAUSE_SECS = 0.3
"""A shorter silence of the agent belongs to its speech."""

EventKind = Literal[
    "started",
    "caller_began",
    "caller_ended",
    "agent_began",
    "agent_ended",
    "cleared",
    "mark_played",
    "mark_cleared",
    "digit",
    "fault",
    "ended",
]


@dataclass(frozen=True)
class CallEvent:
    """What happened on the line, and when by its own clock."""

    at_secs: float
    kind: EventKind
    detail: str = ""


@dataclass(frozen=True)
class Stretch:
    """Sound between two silences."""

    start_secs: float
    end_secs: float


@dataclass(frozen=True)
class Clear:
    """Agent audio that was thrown away: `played_samples` counts all that the caller had heard till then."""

    at_secs: float
    played_samples: int
    dropped_samples: int


@dataclass
class Utterance:
    """Something the caller says; `first` and `last` bound its audible samples."""

    pcm16: Samples
    first: int
    last: int
    position: int = 0
    stretch: Stretch | None = None
    """Set once it was said."""


@dataclass(frozen=True)
class Tick:
    """What leaves the line in one tick: 160 mu-law bytes, and the names of marks that were passed."""

    caller_mulaw: bytes
    marks: tuple[str, ...]


@dataclass
class _Playout:
    """The carrier's buffer of agent audio."""

    chunks: deque[Samples] = field(default_factory=deque)
    marks: deque[tuple[int, str]] = field(default_factory=deque)
    received_samples: int = 0
    played_samples: int = 0
    dropped_samples: int = 0

    @property
    def waiting_samples(self) -> int:
        return self.received_samples - self.played_samples - self.dropped_samples

    def take(self, count: int) -> Samples:
        """At most `count` samples, in order."""
        taken: list[Samples] = []
        while count and self.chunks:
            head = self.chunks.popleft()
            if len(head) > count:
                self.chunks.appendleft(head[count:])
                head = head[:count]
            taken.append(head)
            count -= len(head)
        piece = np.concatenate(taken) if taken else np.zeros(0, dtype=np.int16)
        self.played_samples += len(piece)
        return piece

    def passed_marks(self) -> tuple[str, ...]:
        passed = []
        while self.marks and self.marks[0][0] <= self.played_samples + self.dropped_samples:
            passed.append(self.marks.popleft()[1])
        return tuple(passed)

    def drop(self) -> int:
        dropped = self.waiting_samples
        self.chunks.clear()
        self.dropped_samples += dropped
        return dropped


class Line:
    """Caller speech in, agent speech in; a recording and a timeline of both out."""

    def __init__(self) -> None:
        self.recording = Recording(RATE_HZ)
        self.clears: list[Clear] = []
        self.caller_stretches: list[Stretch] = []
        self.agent_stretches: list[Stretch] = []
        self._events: list[CallEvent] = []
        self._utterances: deque[Utterance] = deque()
        self._playout = _Playout()
        self._samples = 0
        self._agent_since: float | None = None
        self._agent_until = -1.0
        self._heard_after = -1.0

    @property
    def now_secs(self) -> float:
        return self._samples / RATE_HZ

    @property
    def events(self) -> Sequence[CallEvent]:
        """The timeline so far, in order of time."""
        return sorted(self._events, key=lambda event: event.at_secs)

    @property
    def agent_speaking(self) -> bool:
        """Whether the agent is within a stretch of speech, short pauses included."""
        return self._agent_since is not None

    @property
    def agent_played_samples(self) -> int:
        """How many samples of the agent's audio the caller has heard."""
        return self._playout.played_samples

    @property
    def agent_waiting_secs(self) -> float:
        """How much of the agent's audio waits to be played."""
        return self._playout.waiting_samples / RATE_HZ

    def note(self, kind: EventKind, detail: str = "") -> None:
        """Put something that the carrier saw on the timeline."""
        self._events.append(CallEvent(self.now_secs, kind, detail))

    def say(self, pcm16: Samples) -> Utterance:
        """Queue 8 kHz caller speech behind what still waits.

        Raises ValueError for speech without an audible sample.
        """
        audible = speech_samples(pcm16)
        if audible is None:
            raise ValueError("there is nothing to be heard in this speech")
        utterance = Utterance(_whole_frames(pcm16), first=audible[0], last=audible[1])
        self._utterances.append(utterance)
        return utterance

    def press(self, digit: str) -> None:
        """A key was pressed; its message is the carrier's to send."""
        self.note("digit", digit)
        self._heard_after = self.now_secs

    def play(self, pcm16: Samples) -> None:
        """Agent audio has arrived and waits for its turn."""
        self._playout.chunks.append(pcm16)
        self._playout.received_samples += len(pcm16)

    def mark(self, name: str) -> tuple[str, ...]:
        """Put a mark behind the audio that waits; returns it at once where none does."""
        self._playout.marks.append((self._playout.received_samples, name))
        return self._note_marks("mark_played")

    def clear(self) -> tuple[str, ...]:
        """Throw away what waits and return the names of its marks, which count as passed, not as heard."""
        dropped = self._playout.drop()
        self.clears.append(Clear(self.now_secs, self._playout.played_samples, dropped))
        self.note("cleared", f"{dropped} samples dropped")
        return self._note_marks("mark_cleared")

    def tick(self) -> Tick:
        """Let 20 ms pass."""
        at = self._samples
        caller = self._caller_frame()
        agent = self._playout.take(FRAME_SAMPLES)
        self.recording.add("caller", at, mulaw.decode(caller))
        if len(agent):
            self.recording.add("agent", at, agent)
        self._samples += FRAME_SAMPLES
        self._follow_agent(at, agent)
        return Tick(caller, self._note_marks("mark_played"))

    def end(self, detail: str) -> None:
        """The line is closed: whatever is under way ends here."""
        if self._agent_since is not None:
            self._agent_stops()
        self.note("ended", detail)

    @property
    def agent_was_heard(self) -> bool:
        """Whether the agent has spoken since the caller's last word or key."""
        return self._agent_until > self._heard_after

    def agent_has_answered(self, quiet_secs: float) -> bool:
        """The same, and it is quiet for `quiet_secs` with nothing left to play."""
        return (
            self.agent_was_heard
            and not self._utterances
            and self._playout.waiting_samples == 0
            and self.now_secs - self._agent_until >= quiet_secs
        )

    def last_answer(self) -> Stretch:
        """The agent's latest speech since the caller's last word or key."""
        began = [stretch.start_secs for stretch in self.agent_stretches if stretch.end_secs > self._heard_after]
        if self._agent_since is not None:
            began.append(self._agent_since)
        return Stretch(min(began), self._agent_until)

    def _caller_frame(self) -> bytes:
        if not self._utterances:
            return mulaw.encode(np.zeros(FRAME_SAMPLES, dtype=np.int16))
        utterance = self._utterances[0]
        if utterance.position == 0:
            begins = (self._samples + utterance.first) / RATE_HZ
            self._events.append(CallEvent(begins, "caller_began"))
        frame = utterance.pcm16[utterance.position : utterance.position + FRAME_SAMPLES]
        utterance.position += FRAME_SAMPLES
        if utterance.position >= len(utterance.pcm16):
            self._utterance_said(self._utterances.popleft())
        return mulaw.encode(frame)

    def _utterance_said(self, utterance: Utterance) -> None:
        start = self._samples + FRAME_SAMPLES - len(utterance.pcm16)
        first, last = (start + sample for sample in (utterance.first, utterance.last))
        utterance.stretch = Stretch(first / RATE_HZ, last / RATE_HZ)
        self.caller_stretches.append(utterance.stretch)
        self._events.append(CallEvent(utterance.stretch.end_secs, "caller_ended"))
        self._heard_after = utterance.stretch.end_secs

    def _follow_agent(self, at_sample: int, frame: Samples) -> None:
        audible = audible_samples(frame)
        if audible is not None:
            if self._agent_since is None:
                self._agent_since = (at_sample + audible[0]) / RATE_HZ
                self._events.append(CallEvent(self._agent_since, "agent_began"))
            self._agent_until = (at_sample + audible[1]) / RATE_HZ
        elif self._agent_since is not None and self.now_secs - self._agent_until >= PAUSE_SECS:
            self._agent_stops()

    def _agent_stops(self) -> None:
        assert self._agent_since is not None
        self.agent_stretches.append(Stretch(self._agent_since, self._agent_until))
        self._events.append(CallEvent(self._agent_until, "agent_ended"))
        self._agent_since = None

    def _note_marks(self, kind: EventKind) -> tuple[str, ...]:
        names = self._playout.passed_marks()
        for name in names:
            self.note(kind, name)
        return names


def audible_samples(pcm16: Samples, peak: float = AUDIBLE_PEAK) -> tuple[int, int] | None:
    """The first sample that reaches `peak` and the one after the last; None where none does."""
    loud = np.flatnonzero(np.abs(pcm16.astype(np.int32)) >= peak)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else None


def speech_samples(pcm16: Samples) -> tuple[int, int] | None:
    """The same for a whole utterance, whose recording may have noise of its own."""
    loudest = int(np.abs(pcm16.astype(np.int32)).max(initial=0))
    return audible_samples(pcm16, max(AUDIBLE_PEAK, SPEECH_SHARE * loudest))


def _whole_frames(pcm16: Samples) -> Samples:
    return np.pad(pcm16, (0, -len(pcm16) % FRAME_SAMPLES))
