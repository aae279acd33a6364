"""`scripts/chat`: piped and at a terminal, with the real server, with an agent of its own, and with bad servers."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Self

import httpx
import pytest
from rich.console import Console

from pipelines import terminal
from pipelines.terminal import ChatEvents, ChatFault, ServerChat, Talk, TypedLines, beside
from tests.conftest import LIBRARY
from tests.end_to_end.server import Server, free_port

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "pipelines.terminal"]
BORROW = "How many books can I borrow at once?"
RENEW = "Can I have more time with the books that I borrowed?"
CARD = "2000001"
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
TOKEN = re.compile(r"scripts/chat --token (\S+)")


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def pipe(cwd: Path, typed: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with lines piped in."""
    return subprocess.run(
        [*COMMAND, *options], cwd=cwd, env=environment(), input=typed, capture_output=True, text=True, timeout=100
    )


def token_of(told: str) -> str:
    found = TOKEN.search(told)
    assert found, told
    return found[1]


# Piped


def test_piped_lines_are_answered_in_plain_text(library: Server, tmp_path: Path) -> None:
    done = pipe(tmp_path, f"{BORROW}\n\n", "--url", library.url)
    assert done.returncode == 0, done.stderr
    assert "20 books" in done.stdout
    assert "Sources: " in done.stdout
    assert "\x1b" not in done.stdout
    assert token_of(done.stderr)


def test_a_token_goes_on_with_the_conversation(library: Server, tmp_path: Path) -> None:
    first = pipe(tmp_path, RENEW, "--url", library.url)
    assert "card number" in first.stdout
    token = token_of(first.stderr)
    second = pipe(tmp_path, f"{CARD}\n/quit\nnever sent\n", "--url", library.url, "--token", token)
    assert second.returncode == 0, second.stderr
    assert token_of(second.stderr) == token
    said = [event["text"] for event in library.events(token) if event["kind"] == "user_said"]
    assert len(said) == 2 and CARD in said[1]


def test_lines_may_come_from_a_file(library: Server, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text(BORROW)
    with (tmp_path / "lines.txt").open() as lines:
        done = subprocess.run(
            [*COMMAND, "--url", library.url], env=environment(), stdin=lines, capture_output=True, text=True, timeout=60
        )
    assert "20 books" in done.stdout


def test_without_a_server_the_agent_runs_in_the_process(settings: Any, tmp_path: Path) -> None:
    options = ["--embedded", "--business", str(LIBRARY), "--data-dir", str(settings.data_dir)]
    first = pipe(tmp_path, RENEW, *options)
    assert first.returncode == 0, first.stderr
    assert "card number" in first.stdout
    second = pipe(tmp_path, f"{CARD}\n", *options, "--token", token_of(first.stderr))
    assert "renew" in second.stdout.lower()
    assert token_of(second.stderr) == token_of(first.stderr)


# What cannot begin


def run_main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["scripts/chat", *words])
    return terminal.main()


def test_no_server_at_the_default_address_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "DEFAULT_URL", f"http://127.0.0.1:{free_port()}")
    assert run_main(monkeypatch) == 1
    told = capsys.readouterr().err
    assert f"No server answers at {terminal.DEFAULT_URL}." in told
    assert "scripts/run" in told and "scripts/chat --embedded" in told


def test_a_token_of_nobody_is_refused_in_plain_words(library: Server, tmp_path: Path) -> None:
    done = pipe(tmp_path, "hello\n", "--url", library.url, "--token", "0" * 22)
    assert done.returncode == 1
    assert "token" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_address_that_is_none_and_options_that_do_not_fit_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "--url", "http://[nonsense") == 1
    with pytest.raises(SystemExit) as stopped:
        run_main(monkeypatch, "--business", "somewhere")
    assert stopped.value.code == 2
    assert "go with --embedded" in capsys.readouterr().err


# At a terminal


class Screen:
    """`scripts/chat` at a pseudo-terminal of 100 columns."""

    def __init__(self, cwd: Path, *options: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *COMMAND, *options],
            cwd=cwd,
            env=environment(),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.raw = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        return COLOURS.sub("", self.raw.decode(errors="replace"))

    def type(self, keys: str) -> int:
        """Press keys; where what follows on the screen begins."""
        begin = len(self.text)
        os.write(self._master, keys.encode())
        return begin

    def wait_for(self, words: str, since: int = 0) -> str:
        """What the screen shows since then, once it has the words."""
        ends = monotonic() + 60
        while words not in self.text[since:]:
            assert self._read(ends), self.text[since:]
        return self.text[since:]

    def ended(self) -> int:
        ends = monotonic() + 30
        while self._read(ends):
            pass
        return self.process.wait(timeout=30)

    def _read(self, ends: float) -> bool:
        """More from the terminal; False at its end."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, ends - monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux: the other side was closed
            return False
        self.raw += data
        return bool(data)


@pytest.fixture
def screen(library: Server, tmp_path: Path) -> Iterator[Screen]:
    with Screen(tmp_path, "--url", library.url) as screen:
        screen.wait_for("> ")
        yield screen


def test_at_a_terminal_an_answer_grows_and_a_number_sends_a_quick_reply(screen: Screen, library: Server) -> None:
    screen.wait_for("card number", screen.type("I want to book the study room\n"))
    screen.wait_for("which day", screen.type(f"{CARD}\n"))
    assert "  1  Yes, please" in screen.wait_for("  2  ", screen.type("next Friday\n"))
    screen.type("1\n/quit\n")
    assert screen.ended() == 0
    events = library.events(token_of(screen.text))
    said = [event["text"] for event in events if event["kind"] == "user_said"]
    assert len(said) == 4 and said[3] != "1"
    assert [event["status"] for event in events if event["kind"] == "effect_ended"] == ["done"]


def test_ctrl_c_ends_it_cleanly_and_tells_the_token(screen: Screen) -> None:
    since = screen.type(f"{BORROW}\n")
    screen.wait_for("Sources: ", since)
    screen.type("\x03")
    assert screen.ended() == 0
    assert token_of(screen.text)
    assert "Traceback" not in screen.text


def test_ctrl_d_ends_it_cleanly(screen: Screen) -> None:
    screen.type("\x04")
    assert screen.ended() == 0
    assert "Traceback" not in screen.text


def test_the_chat_goes_on_after_the_server_was_gone(data_dirs: Any, tmp_path: Path) -> None:
    with Server(data_dirs("gone"), LIBRARY) as server, Screen(tmp_path, "--url", server.url) as screen:
        screen.wait_for("> ")
        screen.wait_for("card number", screen.type(f"{RENEW}\n"))
        server.stop()
        screen.wait_for("The conversation is kept", screen.type(f"{CARD}\n"))
        server.start()
        screen.wait_for("Renewed", screen.type(f"{CARD}\n"))
        os.kill(screen.process.pid, signal.SIGINT)
        assert screen.ended() == 0


# Bad servers


def server_chat(answer: Callable[[httpx.Request], httpx.Response]) -> ServerChat:
    return ServerChat(httpx.AsyncClient(base_url="http://test", transport=httpx.MockTransport(answer)))


def stream(*events: str) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, text="".join(f"{e}\n\n" for e in events))


async def events_of(chat: ServerChat) -> list[tuple[str, dict[str, Any]]]:
    return [event async for event in chat.ask("hello", None)]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(413, json={"error": {"code": "text_too_long", "message": "Too long."}}), "Too long."),
        (httpx.Response(502, text="<html>bad gateway</html>"), "The server answered 502."),
        (httpx.Response(200, json={"text": "no stream"}), "broke"),
        (stream('event: delta\ndata: {"text": "Half"}'), "The answer broke off"),
        (stream("event: delta\ndata: {not json"), "broke"),
        (
            stream('event: error\ndata: {"code": "trouble", "message": "Something went wrong."}'),
            "Something went wrong.",
        ),
    ],
)
async def test_a_fault_of_the_server_is_told_in_plain_words(answer: httpx.Response, words: str) -> None:
    with pytest.raises(ChatFault, match=re.escape(words)):
        await events_of(server_chat(lambda _: answer))


async def test_a_web_server_that_is_no_agent_is_told_apart() -> None:
    with pytest.raises(ChatFault, match="no Openline server"):
        await server_chat(lambda _: httpx.Response(404)).check()


# The talk itself


def done(**parts: Any) -> dict[str, Any]:
    empty = {"text": "", "token": "t", "sources": [], "quick_replies": [], "buttons": [], "cards": []}
    return {**empty, "with_human": False, "handed_off": False, **parts}


class Scripted:
    """A `Chat` that gives what the test says and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any] | ChatFault) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str | None]] = []
        self.coming: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def ask(self, text: str, token: str | None) -> ChatEvents:
        self.asked.append((text, token))
        answer = self.answers.pop(0)
        if isinstance(answer, ChatFault):
            raise answer
        yield "delta", {"text": answer["text"]}
        yield "done", answer

    async def history(self, token: str) -> list[dict[str, Any]]:
        return [{"who": "agent", "name": "", "text": "What I said before."}]

    async def later(self, token: str) -> ChatEvents:
        while True:
            yield await self.coming.get()


class Sight(io.StringIO):
    """A console's file that says when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)

    async def until(self, words: str) -> None:
        while words not in self.getvalue():
            self.written.clear()
            await self.written.wait()


def console(file: io.StringIO, *, terminal: bool) -> Console:
    return Console(file=file, force_terminal=terminal, width=100, color_system=None, highlight=False)


async def test_only_the_number_of_an_offer_is_replaced_by_it() -> None:
    offers = done(quick_replies=["Yes, please"], buttons=[{"title": "Human", "text": "a human please"}])
    for typed, sent in (("1", "Yes, please"), ("2", "a human please"), ("3", "3"), ("0", "0"), ("10001", "10001")):
        chat = Scripted(offers, done())
        talk = Talk(chat, console(io.StringIO(), terminal=False))
        await talk.say("hello")
        await talk.run(await piped(f"{typed}\n".encode()))
        assert chat.asked == [("hello", None), (sent, "t")]


async def test_a_fault_leaves_the_token_and_the_chat_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    chat = Scripted(done(token="kept"), ChatFault("It broke."), done(token="kept", text="Here again."))
    file = io.StringIO()
    talk = Talk(chat, console(file, terminal=False))
    failures = []
    for _ in range(3):
        await talk.say("hello")
        failures.append(talk.failed)
    assert failures == [False, True, False]
    assert [token for _, token in chat.asked] == [None, "kept", "kept"]
    assert "It broke." in capsys.readouterr().err
    assert "Here again." in file.getvalue() and "It broke." not in file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
async def test_a_message_that_a_human_has_is_not_answered_with_nothing(terminal: bool) -> None:
    file = io.StringIO()
    await Talk(Scripted(done(with_human=True)), console(file, terminal=terminal)).say("hello")
    assert "a colleague has your message" in file.getvalue()


async def test_what_a_human_writes_later_is_shown_to_the_one_who_waits() -> None:
    chat, sight = Scripted(done()), Sight()
    talk = Talk(chat, console(sight, terminal=True))
    read_end, write_end = os.pipe()
    talking = asyncio.create_task(talk.run(TypedLines(read_end)))
    os.write(write_end, b"hello\n")
    chat.coming.put_nowait(("state", {"state": "with_human", "words": ""}))
    chat.coming.put_nowait(("message", {"who": "human", "name": "Rosa", "text": "I have your parcel [here]."}))
    await sight.until("I have your parcel [here].")
    os.close(write_end)
    await talking
    os.close(read_end)
    assert "Rosa: " in sight.getvalue()


async def test_going_on_shows_what_was_said_before() -> None:
    file = io.StringIO()
    await Talk(Scripted(), console(file, terminal=True), token="t").resume()
    assert "agent: What I said before." in file.getvalue()


def test_cards_sources_links_and_replies_stand_beside_the_answer() -> None:
    file = io.StringIO()
    answer = done(
        sources=[{"name": "Shipping", "url": "https://shop.example/shipping"}, {"name": "Returns"}],
        quick_replies=["Yes [really]"],
        buttons=[{"title": "Track", "url": "https://shop.example/track"}],
        cards=[{"title": "Order", "rows": [["number", "10001"]]}],
    )
    for part in beside(answer):
        console(file, terminal=False).print(part)
    told = file.getvalue()
    assert "Sources: Shipping <https://shop.example/shipping>, Returns" in told
    assert "  1  Yes [really]" in told
    assert "Track: https://shop.example/track" in told
    assert re.search(r"Order *\n.*\n.*number.*10001", told)


# What is typed


async def piped(data: bytes) -> TypedLines:
    read_end, write_end = os.pipe()
    os.write(write_end, data)
    os.close(write_end)
    return TypedLines(read_end)


async def lines_of(typed: TypedLines) -> AsyncIterator[str]:
    while (line := await typed.next()) is not None:
        yield line


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\nlast without an end", ["one", "last without an end"]),
        (b"\n\n", ["", ""]),
        ("naïve \N{WAVING HAND SIGN}\n".encode(), ["naïve \N{WAVING HAND SIGN}"]),
        (b"\xff\n", ["\ufffd"]),
        (b"x" * 60_000 + b"\n", ["x" * 60_000]),
    ],
)
async def test_lines_arrive_whole_whatever_their_end(data: bytes, lines: list[str]) -> None:
    assert [line async for line in lines_of(await piped(data))] == lines


async def test_a_line_may_arrive_in_pieces_without_stopping_the_loop() -> None:
    read_end, write_end = os.pipe()
    typed = TypedLines(read_end)
    waiting = asyncio.create_task(typed.next())
    for piece in (b"na\xc3", b"\xaf", b"ve"):
        os.write(write_end, piece)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
    os.write(write_end, b"\n")
    assert await waiting == "naïve"
    os.close(write_end)
    assert await typed.next() is None
    os.close(read_end)
