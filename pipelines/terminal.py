"""`scripts/chat`: a chat in the terminal, streamed, with a running server or with an agent of its own."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any, Protocol

import httpx
import uvloop
from httpx_sse import EventSource, SSEError, aconnect_sse
from pydantic import ValidationError
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from agent.acts import Say, Working
from agent.errors import OpenlineError
from pipelines.logs import configure_logs
from pipelines.settings import Settings, setting_faults
from transports.chat import ChatAnswer
from transports.faults import EdgeFault

DEFAULT_URL = "http://127.0.0.1:7860"
EPILOGUE = "Type /quit, Ctrl-D or Ctrl-C to end. With lines piped in, the answers are written as plain text."

_CONNECT_SECS = 5.0
_ANSWER_SECS = 120.0

ChatEvents = AsyncGenerator[tuple[str, dict[str, Any]], None]


class ChatFault(Exception):
    """What went wrong, in words for the person who chats."""


class Chat(Protocol):
    """A conversation's other side; events and objects are those of transports/chat.py."""

    def ask(self, text: str, token: str | None) -> ChatEvents:
        """`state` and `delta` events, then `done`. Raises ChatFault."""
        ...

    async def history(self, token: str) -> list[dict[str, Any]]:
        """The turns so far. Raises ChatFault."""
        ...

    def later(self, token: str) -> ChatEvents:
        """What comes by itself from now on, without end. Raises ChatFault."""
        ...


class ServerChat:
    """`Chat` with a running server."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """`client` has the server's address as its base URL."""
        self._client = client

    async def check(self) -> None:
        """Raises ChatFault where no server answers."""
        try:
            answer = await self._client.get("/health/live")
        except httpx.HTTPError:
            raise ChatFault(f"No server answers at {self._address}.") from None
        if answer.status_code != 200:
            raise ChatFault(f"What answers at {self._address} is no Openline server.")

    async def ask(self, text: str, token: str | None) -> ChatEvents:
        message = {"text": text, "token": token}
        try:
            async with aconnect_sse(self._client, "POST", "/chat/stream", json=message) as source:
                await _refuse_faults(source)
                async for event in source.aiter_sse():
                    data = event.json()
                    if event.event == "error":
                        raise ChatFault(data["message"])
                    yield event.event, data
                    if event.event == "done":
                        return
        except (httpx.HTTPError, SSEError, ValueError):
            raise ChatFault(f"The connection to {self._address} broke. The conversation is kept; try again.") from None
        raise ChatFault("The answer broke off. The conversation is kept; try again.")

    async def history(self, token: str) -> list[dict[str, Any]]:
        try:
            answer = await self._client.get("/chat/history", params={"token": token})
        except httpx.HTTPError:
            raise ChatFault(f"The connection to {self._address} broke.") from None
        if answer.status_code != 200:
            raise ChatFault(_fault_words(answer))
        turns: list[dict[str, Any]] = answer.json()["turns"]
        return turns

    async def later(self, token: str) -> ChatEvents:
        timeout = httpx.Timeout(_CONNECT_SECS, read=None)
        try:
            async with aconnect_sse(
                self._client, "GET", "/chat/events", params={"token": token}, timeout=timeout
            ) as source:
                await _refuse_faults(source)
                async for event in source.aiter_sse():
                    yield event.event, event.json()
        except (httpx.HTTPError, SSEError, ValueError):
            raise ChatFault(f"The connection to {self._address} broke.") from None

    @property
    def _address(self) -> str:
        return str(self._client.base_url).rstrip("/")


async def _refuse_faults(source: EventSource) -> None:
    if source.response.status_code != 200:
        await source.response.aread()
        raise ChatFault(_fault_words(source.response))


def _fault_words(answer: httpx.Response) -> str:
    try:
        words: str = answer.json()["error"]["message"]
        return words
    except (ValueError, KeyError, TypeError):
        return f"The server answered {answer.status_code}."


class EmbeddedChat:
    """`Chat` with an agent in this process: `desk` is pipelines/chat.py's Desk."""

    def __init__(self, desk: Any) -> None:
        self._desk = desk

    async def ask(self, text: str, token: str | None) -> ChatEvents:
        answer = ChatAnswer()
        try:
            async with aclosing(self._desk.say(text, token)) as items:
                async for item in items:
                    answer.take(item)
                    if isinstance(item, Say):
                        yield "delta", {"text": item.text}
                    elif isinstance(item, Working):
                        yield "state", {"state": item.state, "words": item.words}
        except EdgeFault as fault:
            raise ChatFault(fault.message) from None
        yield "done", answer.as_json()

    async def history(self, token: str) -> list[dict[str, Any]]:
        try:
            turns: list[dict[str, Any]] = await self._desk.history(token)
        except EdgeFault as fault:
            raise ChatFault(fault.message) from None
        return turns

    async def later(self, token: str) -> ChatEvents:
        try:
            async with aclosing(self._desk.later(token)) as events:
                async for event in events:
                    yield event
        except EdgeFault as fault:
            raise ChatFault(fault.message) from None


class TypedLines:
    """What is typed or piped in, line by line, without blocking the loop.

    Reads the descriptor itself, and only when it is ready: the terminal stays in blocking mode, as other
    programs that share it expect.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready: deque[str] = deque()
        self._rest = b""
        self._ended = False

    async def next(self) -> str | None:
        """The next line without its end; None at the end of the input."""
        while not self._ready and not self._ended:
            await self._wait_readable()
            self._take(os.read(self._descriptor, 65536))
        return self._ready.popleft() if self._ready else None

    def _take(self, data: bytes) -> None:
        self._ended = not data
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._ended and self._rest:
            lines.append(self._rest)
        self._ready.extend(line.decode(errors="replace").rstrip("\r") for line in lines)

    async def _wait_readable(self) -> None:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, readable.set)
        except OSError:
            return  # a regular file cannot be waited for: it is always ready
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._descriptor)


class Talk:
    """One chat in the terminal: keeps the token and what the last answer offers."""

    def __init__(self, chat: Chat, console: Console, token: str | None = None) -> None:
        self.token = token
        self.failed = False
        """Whether the last message had no answer."""
        self._chat = chat
        self._console = console
        self._offers: list[str] = []
        self._listener: asyncio.Task[None] | None = None

    async def resume(self) -> None:
        """Show what was said before. Raises ChatFault."""
        if self.token:
            for turn in await self._chat.history(self.token):
                if self._console.is_terminal:
                    self._console.print(Text(f"{turn['name'] or turn['who']}: {turn['text']}", "dim"))
            self._listen()

    async def run(self, lines: TypedLines) -> None:
        """Ask and answer until the input ends or says /quit."""
        try:
            while (text := await self._next(lines)) is not None:
                if text.strip() == "/quit":
                    return
                if text.strip():
                    await self.say(self._offered(text.strip()))
        finally:
            if self._listener:
                self._listener.cancel()

    async def say(self, text: str) -> None:
        """One message and its answer, on the console. A fault is told, and the chat can go on."""
        self.failed = False
        try:
            done = await (self._draw(text) if self._console.is_terminal else self._write(text))
        except ChatFault as fault:
            self.failed = True
            return self._tell(fault)
        self.token = done["token"]
        self._offers = [*done["quick_replies"], *(b["text"] for b in done["buttons"] if b.get("text"))]
        for part in beside(done):
            self._console.print(part, soft_wrap=True)
        self._listen()

    def _tell(self, fault: ChatFault) -> None:
        if self._console.is_terminal:
            self._console.print(Text(str(fault), "red"), soft_wrap=True)
        else:
            print(f"\n{fault}", file=sys.stderr)

    async def _draw(self, text: str) -> dict[str, Any]:
        """The answer as Markdown that grows."""
        said, doing = "", "..."
        with Live(console=self._console, refresh_per_second=12) as live:
            live.update(Text(doing, "dim italic"))
            async with aclosing(self._chat.ask(text, self.token)) as events:
                async for name, data in events:
                    if name == "done":
                        live.update(Markdown(data["text"] or self._human_has_it(data)))
                        return data
                    if name == "delta":
                        said += data["text"]
                    doing = data["words"] or data["state"] if name == "state" else ""
                    live.update(Group(Markdown(said), Text(doing, "dim italic")))
        raise ChatFault("The answer broke off.")

    async def _write(self, text: str) -> dict[str, Any]:
        """The answer as it comes, plain."""
        said = ""
        async with aclosing(self._chat.ask(text, self.token)) as events:
            async for name, data in events:
                if name == "delta":
                    said += data["text"]
                    print(data["text"], end="", flush=True, file=self._console.file)
                elif name == "done":
                    print("" if said else data["text"] or self._human_has_it(data), file=self._console.file)
                    return data
        raise ChatFault("The answer broke off.")

    @staticmethod
    def _human_has_it(done: dict[str, Any]) -> str:
        return "(a colleague has your message)" if done["with_human"] else ""

    def _offered(self, text: str) -> str:
        """The quick reply of this number, or the text as it stands."""
        number = int(text) if text.isdecimal() and len(text) < 3 else 0
        if not 0 < number <= len(self._offers):
            return text
        chosen = self._offers[number - 1]
        if self._console.is_terminal:
            self._console.print(Text(f"> {chosen}", "cyan"))
        return chosen

    async def _next(self, lines: TypedLines) -> str | None:
        if self._console.is_terminal:
            self._console.print(Text("> ", "bold cyan"), end="")
        return await lines.next()

    def _listen(self) -> None:
        """Show what comes by itself, to a person who waits at the terminal."""
        if self._console.is_terminal and (self._listener is None or self._listener.done()):
            self._listener = asyncio.create_task(self._show_later(self.token or ""))

    async def _show_later(self, token: str) -> None:
        with suppress(ChatFault):
            async with aclosing(self._chat.later(token)) as events:
                async for name, data in events:
                    if name == "message":
                        who = (f"\r{data['name'] or data['who']}: ", "bold magenta")
                        self._console.print(Text.assemble(who, data["text"]))
                        self._console.print(Text("> ", "bold cyan"), end="")


def beside(done: dict[str, Any]) -> list[RenderableType]:
    """What an answer shows beside its words: cards, sources, links, and numbered replies."""
    parts: list[RenderableType] = [_card(card) for card in done["cards"]]
    if done["sources"]:
        names = [f"{s['name']} <{s['url']}>" if s.get("url") else s["name"] for s in done["sources"]]
        parts.append(Text(f"Sources: {', '.join(names)}", "dim"))
    links = [button for button in done["buttons"] if button.get("url")]
    parts += [Text(f"{button['title']}: {button['url']}", "blue") for button in links]
    replies = [*done["quick_replies"], *(b["title"] for b in done["buttons"] if b.get("text"))]
    parts += [Text(f"  {number}  {reply}", "cyan") for number, reply in enumerate(replies, 1)]
    return parts


def _card(card: dict[str, Any]) -> Table:
    table = Table(title=card["title"], title_justify="left", show_header=False)
    for row in card["rows"]:
        table.add_row(*map(Text, row))
    return table


def read_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Exits on faults."""
    reader = argparse.ArgumentParser("scripts/chat", description="Chat with the agent.", epilog=EPILOGUE)
    add = reader.add_argument
    add("--url", default=DEFAULT_URL, help="the server (default %(default)s)")
    add("--token", help="go on with the conversation of this token")
    add("--embedded", action="store_true", help="no server: run the agent in this process")
    add("--business", type=Path, help="with --embedded: the business's folder; default examples/acme, or BUSINESS")
    add("--data-dir", type=Path, help="with --embedded: where data is kept; default ./var, or DATA_DIR")
    arguments = reader.parse_args(words)
    if not arguments.embedded and (arguments.business or arguments.data_dir):
        reader.error("--business and --data-dir go with --embedded: a server has its own")
    return arguments


def main() -> int:
    """Exit codes: 0 ended cleanly, 1 could not start or the last message had no answer, 2 wrong arguments."""
    arguments = read_arguments()
    try:
        return uvloop.run(_embedded(arguments) if arguments.embedded else _with_server(arguments))
    except ValidationError as fault:
        print(setting_faults(fault), file=sys.stderr)
    except (ChatFault, OpenlineError, httpx.InvalidURL) as fault:
        print(fault, file=sys.stderr)
        if isinstance(fault, ChatFault) and arguments.url == DEFAULT_URL and not arguments.embedded:
            print("Start one with scripts/run, or chat without: scripts/chat --embedded", file=sys.stderr)
    except KeyboardInterrupt:
        return 0
    return 1


async def _with_server(arguments: argparse.Namespace) -> int:
    timeout = httpx.Timeout(_CONNECT_SECS, read=_ANSWER_SECS)
    async with httpx.AsyncClient(base_url=arguments.url, timeout=timeout, trust_env=False) as client:
        chat = ServerChat(client)
        await chat.check()
        return await _converse(chat, arguments.token)


async def _embedded(arguments: argparse.Namespace) -> int:
    """Raises OpenlineError where the agent cannot start."""
    folders = {"business": arguments.business, "data_dir": arguments.data_dir}
    settings = Settings(**{name: folder for name, folder in folders.items() if folder})
    configure_logs(settings.log_level if "log_level" in settings.model_fields_set else "warning")
    from pipelines.chat import Desk
    from pipelines.runtime import Runtime

    print("Starting ...", file=sys.stderr)
    runtime = await Runtime.start(settings, voice=False)
    try:
        return await _converse(EmbeddedChat(Desk(runtime)), arguments.token)
    finally:
        await runtime.stop()


async def _converse(chat: Chat, token: str | None) -> int:
    """Chat over standard input and output until it ends, or Ctrl-C ends it."""
    console = Console(highlight=False)
    talk = Talk(chat, console, token)
    await talk.resume()
    talking = asyncio.create_task(talk.run(TypedLines(sys.stdin.fileno())))
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, talking.cancel)
    with suppress(asyncio.CancelledError):
        await talking
    if console.is_terminal:
        console.print()
    if talk.token:
        print(f"To go on with this conversation: scripts/chat --token {talk.token}", file=sys.stderr)
    return int(talk.failed)


if __name__ == "__main__":
    sys.exit(main())
