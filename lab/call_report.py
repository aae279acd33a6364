"""What a call leaves behind: who said what and when, how long the caller waited, and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import httpx
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.events import AgentSaid, Event, Heard, HumanSaid, SessionLeft, TurnMeasured, UserSaid, load
from lab import waterfall
from lab.carriers.line import Stretch
from lab.carriers.mulaw import Samples
from lab.recording import Recording

PHRASE_GAP_SECS = 1.0
"""The agent's stretches closer than this are heard together."""

PHRASE_SECS = 25.0
"""An ear that takes half a minute at once is given a little less."""

JOURNAL_TRIES = 20
JOURNAL_WAIT_SECS = 0.25
"""The server writes the end of a call shortly after the caller has hung up."""


class Ear(Protocol):
    """Speech in, words out."""

    def hear(self, pcm16: Samples, rate_hz: int) -> str:
        """The words of mono speech, empty for none. Blocks while it computes."""
        ...


@dataclass(frozen=True)
class Saying:
    """Something said on the line, and when."""

    who: Literal["caller", "agent"]
    text: str
    stretch: Stretch


@dataclass(frozen=True)
class Wait:
    """From the end of the caller's words to the agent's next sound; None where there was none."""

    said: str
    waited_ms: float | None


class NoJournal(Exception):
    """The server's own journal of the call cannot be had; says what to do about it."""


def phrases(agent: Sequence[Stretch], caller: Sequence[Stretch]) -> list[Stretch]:
    """The agent's stretches joined into phrases, none across the beginning of a caller's utterance."""
    joined: list[Stretch] = []
    for stretch in agent:
        last = joined[-1] if joined else None
        if last and _one_phrase(last, stretch, caller):
            joined[-1] = Stretch(last.start_secs, stretch.end_secs)
        else:
            joined.append(stretch)
    return joined


def _one_phrase(last: Stretch, stretch: Stretch, caller: Sequence[Stretch]) -> bool:
    return (
        stretch.start_secs - last.end_secs < PHRASE_GAP_SECS
        and stretch.end_secs - last.start_secs <= PHRASE_SECS
        and not any(last.start_secs < said.start_secs <= stretch.start_secs for said in caller)
    )


def agent_sound(recording: Recording, stretch: Stretch) -> Samples:
    """A stretch of the agent's side, with the margin that an ear needs."""
    return recording.between("agent", stretch.start_secs - 0.1, stretch.end_secs + 0.1)


def hear_agent(recording: Recording, stretches: Sequence[Stretch], ear: Ear) -> list[Saying]:
    """What the caller heard of the agent, by an ear of our own. Blocks while it computes."""
    return [
        Saying("agent", ear.hear(agent_sound(recording, stretch), recording.rate_hz), stretch) for stretch in stretches
    ]


def waits(caller: Sequence[Saying], agent: Sequence[Stretch]) -> list[Wait]:
    """How long the caller waited after each utterance, from the sound alone.

    An agent that begins before the caller's next utterance does has answered this one.
    """
    ends = [saying.stretch.start_secs for saying in caller[1:]] + [float("inf")]
    return [
        Wait(saying.text, _waited_ms(saying.stretch.end_secs, next_secs, agent))
        for saying, next_secs in zip(caller, ends, strict=False)
    ]


def _waited_ms(from_secs: float, until_secs: float, agent: Sequence[Stretch]) -> float | None:
    began = (stretch.start_secs for stretch in agent if from_secs <= stretch.start_secs < until_secs)
    first = next(began, None)
    return None if first is None else 1000 * (first - from_secs)


def waits_table(waited: Sequence[Wait]) -> Table:
    """One row an utterance: what the caller said and how long no answer was to be heard."""
    title = "From the caller's last sound to the agent's first, by the recording"
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, min_width=len(title))
    shown.add_column("ms", justify="right", style="bold")
    shown.add_column("after")
    for wait in waited:
        shown.add_row("none" if wait.waited_ms is None else f"{wait.waited_ms:.0f}", escape(wait.said))
    return shown


def transcript(sayings: Sequence[Saying]) -> str:
    """`  12.34  caller  where is my order`, in order of time, a line each."""
    ordered = sorted(sayings, key=lambda saying: saying.stretch.start_secs)
    return "".join(f"{saying.stretch.start_secs:8.2f}  {saying.who:<6}  {saying.text}\n" for saying in ordered)


def journal_transcript(events: Sequence[Event]) -> str:
    """The same by the server's journal, with times from its first event, personal data as tokens."""
    began = events[0].at if events else 0.0
    return "".join(f"{event.at - began:8.2f}  {line}\n" for event in events for line in _journal_lines(event))


def _journal_lines(event: Event) -> Iterator[str]:
    match event:
        case UserSaid(text=text, confidence=confidence):
            yield f"caller  {text}  ({confidence:.2f} sure)"
        case AgentSaid(text=text):
            yield f"agent   {text}"
        case Heard(text=text, complete=False):
            yield f"        heard only: {text}"
        case HumanSaid(text=text, name=name):
            yield f"human   {name + ': ' if name else ''}{text}"


def measured(events: Sequence[Event]) -> tuple[list[TurnMeasured], list[str]]:
    """The measured turns and, for each, what the caller said in it."""
    said = {event.turn_id: event.text for event in events if isinstance(event, UserSaid)}
    turns = [event for event in events if isinstance(event, TurnMeasured)]
    return turns, [said.get(turn.turn_id, "") for turn in turns]


async def fetch_journal(base_url: str, call_sid: str, admin_token: str) -> list[Event]:
    """The server's journal of a call, once the end of the call stands in it or nothing more comes.

    Raises NoJournal.
    """
    if not admin_token:
        raise NoJournal("set ADMIN_TOKEN for the server and for this command")
    url = f"{base_url}/calls/{call_sid}"
    events: list[Event] = []
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {admin_token}"}) as client:
        for _ in range(JOURNAL_TRIES):
            events = _events_of(await _get(client, url))
            if any(isinstance(event, SessionLeft) for event in events):
                break
            await asyncio.sleep(JOURNAL_WAIT_SECS)
    return events


async def _get(client: httpx.AsyncClient, url: str) -> httpx.Response:
    try:
        return await client.get(url)
    except httpx.HTTPError as fault:
        raise NoJournal(f"no answer from {url}: {fault or type(fault).__name__}") from None


def _events_of(answer: httpx.Response) -> list[Event]:
    if answer.status_code in (401, 403):
        raise NoJournal("the server has another ADMIN_TOKEN than this command, or none")
    if answer.status_code == 404:
        raise NoJournal("the server does not know this call")
    if not answer.is_success:
        raise NoJournal(f"the server answered {answer.status_code}")
    try:
        return [load(json.dumps(event)) for event in answer.json()["events"]]
    except (ValueError, KeyError, TypeError) as fault:
        raise NoJournal(f"the server's journal cannot be read: {fault}") from None


@dataclass(frozen=True)
class Report:
    """What is written down about a call, and printed."""

    by_ear: str
    by_journal: str
    waited: Sequence[Wait]
    turns: Sequence[TurnMeasured] = ()
    labels: Sequence[str] = ()

    @property
    def tables(self) -> list[Table]:
        """The latencies: by the recording, and stage by stage where the server has measured them."""
        by_ear = [waits_table(self.waited)] if self.waited else []
        return by_ear + ([waterfall.table(self.turns, self.labels)] if self.turns else [])

    @property
    def transcripts(self) -> str:
        """By our own ear, and by the server's journal where there is one."""
        by_journal = f"\nBy the server's journal:\n{self.by_journal}" if self.by_journal else ""
        return f"By the recording:\n{self.by_ear}{by_journal}"


def write_files(folder: Path, recording: Recording, report: Report) -> None:
    """call.wav, transcript.txt, latency.txt and, where stages were measured, waterfall.png. Blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    recording.write(folder / "call.wav")
    (folder / "transcript.txt").write_text(report.transcripts, encoding="utf-8")
    with (folder / "latency.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=120).print(*report.tables)
    if report.turns:
        waterfall.png(report.turns, folder / "waterfall.png", report.labels)
