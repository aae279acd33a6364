"""`scripts/talk`: the agent on the developer's own microphone and speakers, with captions of both sides."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import uvloop
from pydantic import ValidationError
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from agent.errors import OpenlineError
from pipelines.logs import configure_logs
from pipelines.runtime import Runtime
from pipelines.settings import Settings, setting_faults
from pipelines.voice import call_pipeline, run_call
from transports.local import RATE_HZ, LocalTransport, SoundDevice, SoundUnavailable, list_devices

EPILOGUE = "Echo is cancelled: no headset is needed to interrupt the agent. Ctrl-C hangs up."


async def answer_local(runtime: Runtime, transport: LocalTransport) -> None:
    """Carry one session over an open device; returns when either side has hung up. Raises Busy."""
    conversation_id, _ = await runtime.find_or_begin(None)
    live = await runtime.open(conversation_id, f"local-{uuid.uuid4().hex}", "local")
    session = runtime.admit(live)
    async with runtime.carrying(session):
        pipeline = call_pipeline(transport, runtime, live, rate_hz=RATE_HZ)
        await run_call(runtime, session, transport, pipeline, rate_hz=RATE_HZ, rtvi=True, starts_by_itself=True)
        if transport.lost:
            session.reason = "lost"


@dataclass(frozen=True)
class Line:
    """Something said, once it is settled; the agent's words as far as they were heard."""

    who: Literal["you", "agent"]
    text: str
    cut_off: bool = False


class Captions:
    """RTVI messages in; settled lines to `on_line`, what is still open as `hearing`, `saying` and `doing`."""

    def __init__(self, on_line: Callable[[Line], None]) -> None:
        self.hearing = ""
        """What the ear believes so far."""
        self.doing = "starting"
        """What the agent is doing, in words."""
        self._segments: dict[int, tuple[str, str]] = {}
        self._settled_id = -1
        self._on_line = on_line

    @property
    def saying(self) -> tuple[str, str]:
        """The agent's words that were heard, and those that are still to come."""
        said = " ".join(said for said, _ in self._segments.values() if said)
        return said, " ".join(rest for _, rest in self._segments.values() if rest)

    def take(self, message: dict[str, Any]) -> None:
        data = message.get("data") or {}
        match message.get("type"):
            case "user-started-speaking":
                self.doing = "hearing you"
            case "user-stopped-speaking":
                self.doing = "thinking"
            case "bot-started-speaking":
                self.doing = "speaking"
            case "bot-stopped-speaking" | "bot-interrupted":
                self.doing = "listening"
            case "user-input" if data.get("input_type") == "transcription":
                self._on_words(data["text"].strip(), final=data["final"])
            case "bot-output":
                self._on_segment(data)
            case "server-message":
                self._on_server_message(data)

    def _on_words(self, text: str, *, final: bool) -> None:
        self.hearing = "" if final else text
        if final and text:
            self._on_line(Line("you", text))

    def _on_segment(self, data: dict[str, Any]) -> None:
        number = data.get("segment_id", -1)
        if number <= self._settled_id:
            return
        progress = data.get("spoken_progress") or {}
        if data.get("spoken_status") == "completed":
            self._segments[number] = (data["text"], "")
        else:
            heard = progress.get("accumulated_text", "").strip()
            self._segments[number] = (heard, progress.get("remaining_text", data["text"]).strip())

    def _on_server_message(self, data: dict[str, Any]) -> None:
        match data.get("type"):
            case "state":
                self.doing = data["words"] or data["state"].replace("_", " ")
            case "heard":
                self._settle(data["text"], complete=data["complete"])

    def close(self) -> None:
        """The session is over: what was said until then is settled."""
        said, rest = self.saying
        self._settle(said, complete=not rest)

    def _settle(self, text: str, *, complete: bool) -> None:
        self._settled_id = max(self._segments, default=self._settled_id)
        self._segments.clear()
        if text:
            self._on_line(Line("agent", text, cut_off=not complete))


class Screen:
    """Draws captions: settled lines stay, the open ones move below them. Without a terminal, settled lines only."""

    def __init__(self, console: Console, agent_name: str) -> None:
        self._console = console
        self._names = {"you": Text("you", "bold cyan"), "agent": Text(agent_name, "bold green")}
        self._captions = Captions(self._print)
        self._live = Live(console=console, get_renderable=self._open, transient=True, auto_refresh=False)

    def __enter__(self) -> Screen:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._captions.close()
        self._live.stop()

    def take(self, message: dict[str, Any]) -> None:
        self._captions.take(message)
        if self._live.is_started:
            self._live.refresh()

    def _print(self, line: Line) -> None:
        text = f"{line.text} —" if line.cut_off else line.text
        self._console.print(Text.assemble(self._names[line.who], ": ", text), soft_wrap=True)

    def _open(self) -> Group:
        captions = self._captions
        lines = []
        if captions.hearing:
            lines.append(Text.assemble(self._names["you"], ": ", (captions.hearing, "dim")))
        said, rest = captions.saying
        if said or rest:
            lines.append(Text.assemble(self._names["agent"], ": ", said, " ", (rest, "dim")))
        return Group(*lines, Text(f"[{captions.doing}]", "dim italic"))


def read_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Exits on faults."""
    reader = argparse.ArgumentParser(
        "scripts/talk", description="Talk with the agent over your own microphone and speakers.", epilog=EPILOGUE
    )
    add = reader.add_argument
    add("--business", type=Path, help="the business's folder; default examples/acme, or BUSINESS")
    add("--data-dir", type=Path, help="where data is kept; default ./var, or DATA_DIR")
    add("--list-devices", action="store_true", help="show the sound devices with their numbers, and end")
    add("--input", type=_device, metavar="N", help="the microphone: a number, or a part of its name")
    add("--output", type=_device, metavar="N", help="the speakers, likewise")
    return reader.parse_args(words)


def _device(text: str) -> int | str:
    return int(text) if text.isdigit() else text


def main() -> int:
    """Exit codes: 0 ended cleanly, 1 could not start, 2 wrong arguments."""
    arguments = read_arguments()
    folders = {"business": arguments.business, "data_dir": arguments.data_dir}
    try:
        if arguments.list_devices:
            print(list_devices())
            return 0
        settings = Settings(**{name: folder for name, folder in folders.items() if folder})
        configure_logs(settings.log_level if "log_level" in settings.model_fields_set else "warning")
        uvloop.run(_talk(settings, arguments.input, arguments.output))
    except ValidationError as fault:
        print(setting_faults(fault), file=sys.stderr)
        return 1
    except (SoundUnavailable, OpenlineError) as fault:
        print(fault, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Not started.", file=sys.stderr)
    return 0


async def _talk(settings: Settings, microphone: int | str | None, speakers: int | str | None) -> None:
    """Open the devices, start the agent, carry one session. Raises SoundUnavailable, OpenlineError."""
    console = Console(highlight=False)
    device = await asyncio.to_thread(SoundDevice.open, microphone, speakers)
    try:
        console.print("Starting ...", style="dim")
        runtime = await Runtime.start(settings)
        _introduce(console, runtime, device)
        try:
            with Screen(console, runtime.business.agent_name) as screen:
                await _carry(runtime, LocalTransport(device, screen.take))
        finally:
            await runtime.stop()
    finally:
        await device.close()
    if device.lost.is_set():
        raise SoundUnavailable("The microphone or the speakers went away.")
    console.print("Hung up.", style="dim")


async def _carry(runtime: Runtime, transport: LocalTransport) -> None:
    """One session, which Ctrl-C and SIGTERM hang up."""
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, transport.hang_up)
    await answer_local(runtime, transport)


def _introduce(console: Console, runtime: Runtime, device: SoundDevice) -> None:
    console.print(f"{runtime.business.agent_name} of {runtime.business.name} is listening.", style="bold")
    console.print(f"  microphone {device.microphone_name}\n  speakers   {device.speakers_name}", markup=False)
    for job, part, why in runtime.parts_in_use():
        if job in ("ear", "model", "voice"):
            console.print(f"  {job:<10} {part}   ({why})", markup=False)
    console.print("Speak at any time; Ctrl-C hangs up.\n", style="dim")


if __name__ == "__main__":
    sys.exit(main())
