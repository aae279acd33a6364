"""A model provider that does as it is told: OpenAI's chat completions over real HTTP, from a script.

    async with OpenAISim() as sim:
        sim.script(Fail(500), Answer("It ships tomorrow.", ttft_secs=0.3, tokens_per_sec=60))
        client = AsyncOpenAI(base_url=sim.base_url, api_key="any")

Each request takes the next behaviour of the script; once that is empty, `behave` decides. The server
runs in a thread of its own, so that its pace does not depend on the caller's event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

MODEL = "sim-1"

_THREAD = "openai-sim"


@dataclass(frozen=True)
class Answer:
    """Say `text`, piece by piece; without `tokens_per_sec` as fast as the wire allows."""

    text: str
    ttft_secs: float = 0.0
    tokens_per_sec: float | None = None


@dataclass(frozen=True)
class CallTools:
    """Call tools by name; arguments given as a str go out as they are, broken or not."""

    calls: Sequence[tuple[str, Mapping[str, Any] | str]]
    text: str = ""
    """Said before the calls."""
    ttft_secs: float = 0.0
    tokens_per_sec: float | None = None


@dataclass(frozen=True)
class Delay:
    """Send nothing at all, not even the status, for `secs`; then do `then`."""

    secs: float
    then: Behaviour


@dataclass(frozen=True)
class Hang:
    """Say `text`, which may be nothing, and then nothing more until the client leaves."""

    text: str = ""


@dataclass(frozen=True)
class Fail:
    """Answer with an error status and OpenAI's error object."""

    status: int = 500
    message: str = "The server had an error while processing your request"
    code: str | None = None
    retry_after_secs: int | None = None


@dataclass(frozen=True)
class CloseMidStream:
    """Say the first `after_tokens` pieces of `text`, then cut the connection."""

    after_tokens: int
    text: str = "I have found your order and it will be with you"
    tokens_per_sec: float | None = None


@dataclass(frozen=True)
class Empty:
    """Finish properly, without a word."""


@dataclass(frozen=True)
class Whitespace:
    """Finish properly, with nothing but blanks."""

    text: str = " \n \n"


Behaviour = Answer | CallTools | Delay | Hang | Fail | CloseMidStream | Empty | Whitespace
Behave = Callable[[dict[str, Any]], Behaviour]
Outcome = Literal["open", "done", "cut", "left"]


@dataclass
class SimRequest:
    """One request as it came. `outcome` is "left" where the client went before the answer was whole."""

    body: dict[str, Any]
    headers: Mapping[str, str]
    at_secs: float
    """On the machine's monotonic clock."""
    client: tuple[str, int]
    behaviour: Behaviour
    outcome: Outcome = "open"

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages


class OpenAISim:
    """The provider: an HTTP server on an ephemeral port of 127.0.0.1 while the context lasts."""

    def __init__(
        self,
        behave: Behave | Behaviour = Answer("How can I help?"),
        *,
        port: int = 0,
        api_key: str | None = None,
        models: Sequence[str] = (MODEL,),
    ) -> None:
        """`behave` answers whatever the script does not; with `api_key` no other key is accepted."""
        self.behave: Behave = behave if callable(behave) else lambda request: behave
        self.requests: list[SimRequest] = []
        self._script: deque[Behaviour] = deque()
        self._models = tuple(models)
        self._api_key = api_key
        self._port = port
        self._changed = threading.Condition()
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        """What belongs into OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def connections(self) -> set[tuple[str, int]]:
        """The peers' addresses: one each TCP connection that carried a completion."""
        return {request.client for request in self.requests}

    def script(self, *behaviours: Behaviour) -> None:
        """Let the next requests be answered so, in this order."""
        self._script.extend(behaviours)

    def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(self._app(), log_config=None, access_log=False, lifespan="off", loop="asyncio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name=_THREAD, daemon=True
        )
        logging.getLogger("uvicorn.error").addFilter(_not_a_cut)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and cut whatever hangs."""
        if self._server and self._thread:
            self._server.should_exit = self._server.force_exit = True
            self._thread.join()

    def wait(self) -> None:
        """Block until the server has stopped."""
        if self._thread:
            self._thread.join()

    async def until(self, holds: Callable[[], bool], timeout_secs: float = 5.0) -> None:
        """Wait for something about `requests`; raises TimeoutError."""

        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(holds, timeout_secs)

        if not await asyncio.to_thread(wait):
            raise TimeoutError(f"the simulated provider saw nothing of the kind in {timeout_secs:g} s")

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _app(self) -> FastAPI:
        app = FastAPI()
        app.get("/v1/models", response_model=None)(self._list_models)
        app.post("/v1/chat/completions", response_model=None)(self._complete)
        return app

    async def _list_models(self, request: Request) -> JSONResponse:
        if refusal := self._refusal(request):
            return refusal
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "lab"} for name in self._models]
        return JSONResponse({"object": "list", "data": data})

    async def _complete(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        try:
            body = json.loads(await request.body())
        except ValueError:
            return _error(400, "We could not parse the JSON body of your request.")
        if fault := _fault_in(body):
            return _error(400, fault)
        return _Completion(self._record(request, body), self._settle)

    def _refusal(self, request: Request) -> JSONResponse | None:
        if self._api_key is None or request.headers.get("authorization") == f"Bearer {self._api_key}":
            return None
        return _error(401, "Incorrect API key provided.", code="invalid_api_key")

    def _record(self, request: Request, body: dict[str, Any]) -> SimRequest:
        behaviour = self._script.popleft() if self._script else self.behave(body)
        assert request.client is not None
        client = (request.client.host, request.client.port)
        record = SimRequest(body, dict(request.headers), time.monotonic(), client, behaviour)
        with self._changed:
            self.requests.append(record)
            self._changed.notify_all()
        return record

    def _settle(self, record: SimRequest, outcome: Outcome) -> None:
        with self._changed:
            record.outcome = outcome
            self._changed.notify_all()


def _error(status: int, message: str, code: str | None = None) -> JSONResponse:
    kinds = {401: "invalid_request_error", 429: "requests"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return JSONResponse({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)


def _fault_in(body: Any) -> str | None:
    """What OpenAI would refuse in a request, in its words' sense."""
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return "you must provide a model parameter"
    if fault := _fault_in_form(body.get("response_format")):
        return fault
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "'messages' must be a list with at least one message"
    awaited: set[str] = set()
    for message in messages:
        if not isinstance(message, dict) or "role" not in message:
            return "every message needs a 'role'"
        if message["role"] == "tool":
            if message.get("tool_call_id") not in awaited:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
            awaited.remove(message["tool_call_id"])
            continue
        if awaited:
            break
        awaited = {call["id"] for call in message.get("tool_calls") or ()}
    if awaited:
        return "an assistant message with 'tool_calls' must be followed by tool messages for each of them"
    return None


def _fault_in_form(form: Any) -> str | None:
    """What OpenAI would refuse in a `response_format`; strict schemas name every property and allow no other.

    Source: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
    """
    if form is None:
        return None
    kind = form.get("type") if isinstance(form, dict) else None
    if kind != "json_schema":
        return (
            None
            if kind in ("text", "json_object")
            else "'response_format.type' must be text, json_object or json_schema"
        )
    asked = form.get("json_schema")
    if not isinstance(asked, dict) or not re.fullmatch(r"[\w-]{1,64}", str(asked.get("name", ""))):
        return "Missing required parameter: 'response_format.json_schema.name'"
    schema = asked.get("schema")
    if not asked.get("strict"):
        return None
    if (
        not isinstance(schema, dict)
        or schema.get("type") != "object"
        or schema.get("additionalProperties") is not False
    ):
        return f"Invalid schema for response_format '{asked['name']}': 'additionalProperties' must be false"
    if set(schema.get("required", ())) != set(schema.get("properties", ())):
        return f"Invalid schema for response_format '{asked['name']}': 'required' must name every property"
    return None


class _Cut(Exception):
    """The connection is to be dropped in mid-answer."""


def _not_a_cut(record: logging.LogRecord) -> bool:
    """Keeps uvicorn's complaint about answers that were cut on purpose out of the log."""
    return record.threadName != _THREAD or "without completing response" not in record.getMessage()


@dataclass
class _Reply:
    """What an answer consists of, before it is written as a stream or as one object."""

    pieces: list[str] = field(default_factory=list)
    calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    finish_reason: str = "stop"
    ttft_secs: float = 0.0
    tokens_per_sec: float | None = None
    ending: Literal["done", "hang", "cut"] = "done"


def tokens(text: str) -> list[str]:
    """A text in pieces about as long as a model's tokens; joined they are the text."""
    return re.findall(r"\s*\w{1,6}|\s*[^\w\s]|\s+", text)


def _reply(behaviour: Behaviour, limit: int | None) -> _Reply:
    match behaviour:
        case Answer(text, ttft_secs, tokens_per_sec):
            pieces = tokens(text)
            reason = "stop" if limit is None or len(pieces) <= limit else "length"
            return _Reply(pieces[:limit], (), reason, ttft_secs, tokens_per_sec)
        case CallTools(calls, text, ttft_secs, tokens_per_sec):
            return _Reply(tokens(text), calls, "tool_calls", ttft_secs, tokens_per_sec)
        case Hang(text):
            return _Reply(tokens(text), ending="hang")
        case CloseMidStream(after_tokens, text, tokens_per_sec):
            return _Reply(tokens(text)[:after_tokens], tokens_per_sec=tokens_per_sec, ending="cut")
        case Empty():
            return _Reply()
        case Whitespace(text):
            return _Reply([text])
        case _:
            raise TypeError(f"{behaviour!r} is no behaviour that speaks")


class _Completion(Response):
    """The ASGI response to one request; notices at once when the client leaves."""

    def __init__(self, record: SimRequest, settle: Callable[[SimRequest, Outcome], None]) -> None:
        super().__init__()
        self._record = record
        self._settle = settle
        self._id = f"chatcmpl-{secrets.token_hex(12)}"
        self._created = int(time.time())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = asyncio.create_task(self._do(self._record.behaviour, scope, receive, send))
        leaving = asyncio.create_task(_client_leaves(receive))
        try:
            await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            self._settle(self._record, "done" if work.done() else "left")
        except _Cut:
            # An answer that returns unfinished makes uvicorn close the connection.
            self._settle(self._record, "cut")
        finally:
            work.cancel()
            leaving.cancel()

    async def _do(self, behaviour: Behaviour, scope: Scope, receive: Receive, send: Send) -> None:
        while isinstance(behaviour, Delay):
            await asyncio.sleep(behaviour.secs)
            behaviour = behaviour.then
        if isinstance(behaviour, Fail):
            failure = _error(behaviour.status, behaviour.message, behaviour.code)
            if behaviour.retry_after_secs is not None:
                failure.headers["retry-after"] = str(behaviour.retry_after_secs)
            await failure(scope, receive, send)
            return
        body = self._record.body
        reply = _reply(behaviour, body.get("max_completion_tokens") or body.get("max_tokens"))
        if body.get("stream"):
            await self._stream(reply, send)
        else:
            await self._whole(reply, send)

    async def _stream(self, reply: _Reply, send: Send) -> None:
        await _send_head(send, "text/event-stream; charset=utf-8")
        async for chunk in self._chunks(reply):
            await _send_body(send, f"data: {json.dumps(chunk)}\n\n")
        await _send_body(send, "data: [DONE]\n\n", more=False)

    async def _whole(self, reply: _Reply, send: Send) -> None:
        """One JSON object; where it is to be cut, the connection ends half-way through."""
        if reply.ending == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(_whole_secs(reply))
        text = json.dumps(self._object(reply))
        await _send_head(send, "application/json")
        if reply.ending == "cut":
            await _send_body(send, text[: len(text) // 2])
            raise _Cut
        await _send_body(send, text, more=False)

    async def _chunks(self, reply: _Reply) -> AsyncIterator[dict[str, Any]]:
        options = self._record.body.get("stream_options") or {}
        usage = {"usage": None} if options.get("include_usage") else {}
        await asyncio.sleep(reply.ttft_secs)
        yield self._chunk({"role": "assistant", "content": ""}) | usage
        for delta in _deltas(reply):
            yield self._chunk(delta) | usage
            await asyncio.sleep(1 / reply.tokens_per_sec if reply.tokens_per_sec else 0)
        if reply.ending == "hang":
            await asyncio.Event().wait()
        if reply.ending == "cut":
            raise _Cut
        yield self._chunk({}, reply.finish_reason) | usage
        if usage:
            yield self._chunk(None) | {"usage": self._usage(reply)}

    def _chunk(self, delta: dict[str, Any] | None, finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._envelope("chat.completion.chunk") | {"choices": [] if delta is None else [choice]}

    def _object(self, reply: _Reply) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(reply.pieces) or None,
            "refusal": None,
        }
        if reply.calls:
            message["tool_calls"] = [_tool_call(*call) for call in reply.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
        return self._envelope("chat.completion") | {"choices": [choice], "usage": self._usage(reply)}

    def _envelope(self, kind: str) -> dict[str, Any]:
        model = self._record.body["model"]
        return {"id": self._id, "object": kind, "created": self._created, "model": model}

    def _usage(self, reply: _Reply) -> dict[str, int]:
        prompt = len(tokens(json.dumps(self._record.body["messages"])))
        completion = len(reply.pieces) + sum(len(tokens(_written(arguments))) for _, arguments in reply.calls)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _deltas(reply: _Reply) -> list[dict[str, Any]]:
    """A stream's deltas between role and finish: words, then each tool call's name and its arguments."""
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in reply.pieces]
    for index, (name, arguments) in enumerate(reply.calls):
        opening = _tool_call(name, "") | {"index": index}
        deltas.append({"tool_calls": [opening]})
        for piece in tokens(_written(arguments)):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    return deltas


def _tool_call(name: str, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
    function = {"name": name, "arguments": _written(arguments)}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}


def _written(arguments: Mapping[str, Any] | str) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _whole_secs(reply: _Reply) -> float:
    return reply.ttft_secs + (len(reply.pieces) / reply.tokens_per_sec if reply.tokens_per_sec else 0.0)


async def _send_head(send: Send, content_type: str) -> None:
    headers = [(b"content-type", content_type.encode()), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_body(send: Send, text: str, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": more})


async def _client_leaves(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def echo_agent(request: dict[str, Any]) -> Behaviour:
    """What the stand-alone provider says: the user's words again, or the fault that they ask for."""
    last = request["messages"][-1]
    text = last["content"] if isinstance(last.get("content"), str) else json.dumps(last.get("content"))
    if last["role"] == "tool":
        return Answer(f"The tool says: {text}", ttft_secs=0.2, tokens_per_sec=60)
    command, _, rest = text.strip().partition(" ")
    match command:
        case "!call":
            name, _, arguments = rest.partition(" ")
            return CallTools([(name, arguments or "{}")], ttft_secs=0.2)
        case "!fail":
            return Fail(int(rest) if rest.isdecimal() else 500)
        case "!hang":
            return Hang(rest)
        case "!close":
            return CloseMidStream(after_tokens=4)
        case "!empty":
            return Empty()
        case "!blank":
            return Whitespace()
        case "!delay":
            return Delay(float(rest or 3), Answer("Sorry for the wait.", tokens_per_sec=60))
    return Answer(f"You said: {text}", ttft_secs=0.2, tokens_per_sec=60)


HELP = """\
A simulated OpenAI endpoint. Point OPENAI_BASE_URL at it. It answers "You said: ..." at 60 tokens a
second, and whatever the user says can ask for something else:

  !call NAME {"json": "arguments"}   calls a tool, then repeats its result
  !fail [STATUS]                     fails (default 500)
  !hang [WORDS]                      says the words, then hangs
  !close                             cuts the connection in mid-answer
  !empty, !blank                     answers nothing, or only blanks
  !delay [SECONDS]                   waits before the status line (default 3)
"""


def main() -> None:
    """Run the provider until Ctrl-C."""
    reader = argparse.ArgumentParser(
        prog="python -m lab.providers.openai_sim",
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    reader.add_argument("--port", type=int, default=7999, help="port on 127.0.0.1 (default 7999; 0 takes any)")
    reader.add_argument("--api-key", help="refuse every other key")
    arguments = reader.parse_args()
    sim = OpenAISim(echo_agent, port=arguments.port, api_key=arguments.api_key)
    try:
        sim.start()
    except OSError as fault:
        reader.error(f"port {arguments.port} cannot be used: {fault.strerror}")
    print(f"OPENAI_BASE_URL={sim.base_url}", flush=True)
    try:
        sim.wait()
    except KeyboardInterrupt:
        sim.stop()


if __name__ == "__main__":
    main()
