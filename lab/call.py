"""`scripts/call`: a caller rings the agent, says its lines, and leaves a recording and a report."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from rich.console import Console
from rich.markup import escape

from agent.events import Event
from lab.call_report import (
    Ear,
    NoJournal,
    Report,
    Saying,
    agent_sound,
    fetch_journal,
    hear_agent,
    journal_transcript,
    measured,
    phrases,
    transcript,
    waits,
    write_files,
)
from lab.caller import CALLER_VOICES, CallerVoice, FliteCaller, UnreadableSound, WhisperEar, read_wav
from lab.carriers.line import Stretch
from lab.carriers.mulaw import Samples
from lab.carriers.twilio import KEYS, CallEnded, CallRefused, TwilioCall
from pipelines.settings import Settings
from processors.speech.flite import FliteUnavailable
from processors.speech.weights import WeightsUnavailable

DESCRIPTION = """\
Ring the agent as a caller does: through its Twilio voice webhook and media websocket, in real time.
The caller waits for the agent to finish before each of its lines, the greeting first. Lines, files and
keys are played in the order in which they are given.
"""

EPILOGUE = """\
Leaves in the output folder:
  call.wav        caller left, agent right, as played
  transcript.txt  who said what and when: the agent's words as heard from the recording by Whisper,
                  and, with ADMIN_TOKEN, what the server's own journal says
  latency.txt     how long the caller waited for each answer; with ADMIN_TOKEN, stage by stage
  waterfall.png   the stages as a picture (with ADMIN_TOKEN)

Environment: TWILIO_AUTH_TOKEN signs the call where the server checks signatures; ADMIN_TOKEN (the
same as the server's) opens its journal; PUBLIC_URL where the server has one.

Example:
  scripts/call --say "where is my order" --say "one two three four five"
"""


@dataclass(frozen=True)
class Speech:
    """A line to say: what it is called in the transcript, and its sound."""

    text: str
    pcm16: Samples
    rate_hz: int


@dataclass(frozen=True)
class Keys:
    """Keys to press."""

    keys: str


Step = Speech | Keys


class _AddStep(argparse.Action):
    """Keeps --say, --wav and --digits in the order of the command line."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        namespace.steps = [*namespace.steps, (self.dest, values)]


def _keys(text: str) -> str:
    if not text or set(text) - KEYS:
        raise argparse.ArgumentTypeError(f"{text!r}: the keys are 0-9, *, # and A-D")
    return text


def read_arguments(words: Sequence[str], default_url: str) -> argparse.Namespace:
    """The command line; `steps` is a list of (say | wav | digits, value) in its order. Exits on faults."""
    reader = argparse.ArgumentParser(
        prog="scripts/call",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = reader.add_argument
    reader.set_defaults(steps=[])
    add("--url", default=default_url, help="the server (default %(default)s)")
    add("--say", action=_AddStep, metavar="TEXT", help="say this, with the caller's voice")
    add("--wav", action=_AddStep, metavar="FILE", type=Path, help="play this sound file (any rate)")
    add("--digits", action=_AddStep, metavar="KEYS", type=_keys, help="press these keys, such as 123#")
    add(
        "--interactive",
        action="store_true",
        help="then say what is typed, a line at a time, until end of file",
    )
    add("--voice", choices=CALLER_VOICES, default="rms", help="the caller's voice (default %(default)s)")
    add("--out", type=Path, metavar="FOLDER", help="where the files go (default calls/ in the data folder)")
    add("--quiet-secs", type=float, default=1.0, help="so long a silence ends the agent's turn (default 1)")
    add("--timeout-secs", type=float, default=60.0, help="give up after waiting so long (default 60)")
    arguments = reader.parse_args(words)
    if not arguments.steps and not arguments.interactive:
        reader.error("nothing to say: give --say, --wav, --digits or --interactive")
    arguments.url = arguments.url.rstrip("/")
    return arguments


def prepare(steps: Sequence[tuple[str, Any]], voice: CallerVoice) -> list[Step]:
    """The steps with their sound. Blocks while it computes; raises UnreadableSound."""
    return [_prepared(kind, value, voice) for kind, value in steps]


def _prepared(kind: str, value: Any, voice: CallerVoice) -> Step:
    match kind:
        case "digits":
            return Keys(value)
        case "wav":
            return Speech(f"[{value.name}]", *read_wav(value))
        case _:
            return Speech(value, *voice.synthesise(value))


async def play(
    call: TwilioCall, steps: Sequence[Step], said: list[Saying], *, quiet_secs: float, timeout_secs: float
) -> str:
    """Hear the greeting, then do each step and hear its answer; what is done goes into `said`.

    Returns what went wrong, which is empty where every step was answered.
    """
    doing = "the greeting"
    try:
        await call.agent_finished(quiet_secs, timeout_secs)
        for step in steps:
            doing = step.keys if isinstance(step, Keys) else step.text
            said.append(await _do(call, step))
            await call.agent_finished(quiet_secs, timeout_secs)
    except TimeoutError:
        return f"the agent did not finish within {timeout_secs:g} s ({doing})"
    except CallEnded:
        return f"the agent hung up ({doing})"
    return ""


async def _do(call: TwilioCall, step: Step) -> Saying:
    if isinstance(step, Speech):
        return Saying("caller", step.text, await call.say_pcm(step.pcm16, step.rate_hz))
    began = call.line.now_secs
    await call.digits(step.keys)
    return Saying("caller", f"[keys {step.keys}]", Stretch(began, call.line.now_secs))


async def converse(call: TwilioCall, voice: CallerVoice, ear: Ear, said: list[Saying], console: Console) -> None:
    """Say each line that is typed, and print what the agent says, until end of file or the call's end."""
    tasks = [
        asyncio.create_task(_narrate(call, ear, console)),
        asyncio.create_task(_say_typed(call, voice, said)),
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        with contextlib.suppress(CallEnded):
            task.result()


async def _say_typed(call: TwilioCall, voice: CallerVoice, said: list[Saying]) -> None:
    async for text in _typed_lines():
        with contextlib.suppress(UnreadableSound):
            speech = await asyncio.to_thread(voice.synthesise, text)
            said.append(await _do(call, Speech(text, *speech)))
    with contextlib.suppress(TimeoutError):
        await call.agent_finished()


async def _narrate(call: TwilioCall, ear: Ear, console: Console) -> None:
    async for stretch in call.agent_stretches():
        sound = agent_sound(call.recording, stretch)
        words = await asyncio.to_thread(ear.hear, sound, call.recording.rate_hz)
        console.print(f"[dim]{stretch.start_secs:8.2f}[/]  agent   {escape(words)}")


async def _typed_lines() -> AsyncIterator[str]:
    """Lines of standard input that are not blank.

    A daemon thread reads them through a file object of its own: the interpreter cannot exit while a
    thread waits inside `sys.stdin` itself.
    """
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError):
            for line in open(sys.stdin.fileno(), encoding="utf-8", errors="replace", closefd=False):  # noqa: SIM115
                loop.call_soon_threadsafe(lines.put_nowait, line.strip())
            loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, name="typing", daemon=True).start()
    while (line := await lines.get()) is not None:
        if line:
            yield line


async def report(
    call: TwilioCall,
    said: Sequence[Saying],
    *,
    url: str,
    admin_token: str,
    ear: Ear,
    folder: Path,
    console: Console,
) -> None:
    """Write the recording, the transcript and the latencies, and print them."""
    events: list[Event] = []
    try:
        events = await fetch_journal(url, call.call_sid, admin_token)
    except NoJournal as why:
        console.print(f"[yellow]No journal of the call, so no stages of its turns:[/] {escape(str(why))}.")
    stretches = call.line.agent_stretches
    heard = await asyncio.to_thread(
        hear_agent, call.recording, phrases(stretches, [saying.stretch for saying in said]), ear
    )
    turns, labels = measured(events)
    written = Report(
        by_ear=transcript([*said, *heard]),
        by_journal=journal_transcript(events),
        waited=waits(said, stretches),
        turns=turns,
        labels=labels,
    )
    await asyncio.to_thread(write_files, folder, call.recording, written)
    console.print(escape(written.transcripts), soft_wrap=True)
    console.print(*written.tables, sep="\n")
    for fault in call.faults:
        console.print(f"[red]Twilio would not take this of the agent:[/] {escape(fault)}")
    console.print(f"Files in {folder}")


async def ring(arguments: argparse.Namespace, settings: Settings, console: Console) -> int:
    """The whole call; returns the exit code: 0 where all was said and answered, 1 for trouble."""
    voice = await asyncio.to_thread(FliteCaller, arguments.voice)
    ear = await asyncio.to_thread(WhisperEar, settings.data_dir / "cache")
    steps = await asyncio.to_thread(prepare, arguments.steps, voice)
    call = TwilioCall.dial(
        f"{arguments.url}/twilio/voice",
        auth_token=_plain(settings.twilio_auth_token),
        account_sid=settings.twilio_account_sid,
        public_url=settings.address if arguments.url == local_url(settings) else settings.public_url,
    )
    said: list[Saying] = []
    async with call:
        console.print(f"[dim]Call {call.call_sid}[/]")
        try:
            trouble = await play(
                call, steps, said, quiet_secs=arguments.quiet_secs, timeout_secs=arguments.timeout_secs
            )
            if arguments.interactive and call.ended is None:
                await converse(call, voice, ear, said, console)
        except asyncio.CancelledError:
            trouble = "the call was cut short by Ctrl-C"
            _go_on()
    await report(
        call,
        said,
        url=arguments.url,
        admin_token=_plain(settings.admin_token),
        ear=ear,
        folder=arguments.out or settings.data_dir / "calls" / call.call_sid,
        console=console,
    )
    if trouble:
        console.print(f"[red]{escape(trouble)}[/]")
    return 1 if trouble else 0


def _go_on() -> None:
    """Ctrl-C cancels the task that makes the call; its report is still to be written."""
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def local_url(settings: Settings) -> str:
    """Where the server of these settings is reached from its own machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{host}:{settings.port}"


def main() -> None:
    """Entry of scripts/call."""
    settings = Settings()
    arguments = read_arguments(sys.argv[1:], local_url(settings))
    console = Console()
    try:
        sys.exit(asyncio.run(ring(arguments, settings, console)))
    except CallRefused as why:
        console.print(f"[red]No call:[/] {escape(str(why))}. Is the server running (scripts/run)?")
        sys.exit(2)
    except (UnreadableSound, FliteUnavailable, WeightsUnavailable) as fault:
        console.print(f"[red]{escape(str(fault))}[/]")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
