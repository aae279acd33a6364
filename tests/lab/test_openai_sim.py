"""The simulated model provider, driven by OpenAI's own SDK."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from openai import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    RateLimitError,
)

from lab.providers.openai_sim import (
    Answer,
    CallTools,
    CloseMidStream,
    Delay,
    Empty,
    Fail,
    Hang,
    OpenAISim,
    Whitespace,
    echo_agent,
    tokens,
)

ASK: list[Any] = [{"role": "user", "content": "Where is my order?"}]
ROOT = Path(__file__).parents[2]


@pytest_asyncio.fixture
async def sim() -> AsyncIterator[OpenAISim]:
    async with OpenAISim() as provider:
        yield provider


@pytest_asyncio.fixture
async def client(sim: OpenAISim) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=sim.base_url, api_key="any", max_retries=0) as sdk:
        yield sdk


async def _chunks(client: AsyncOpenAI, **more: Any) -> list[Any]:
    stream = await client.chat.completions.create(model="sim-1", messages=ASK, stream=True, **more)
    return [chunk async for chunk in stream]


def _text(chunks: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


@pytest.mark.asyncio
async def test_a_streamed_answer_has_role_words_finish_and_usage_in_that_order(
    sim: OpenAISim, client: AsyncOpenAI
) -> None:
    sim.script(Answer("Your order 12345 ships on Tuesday."))
    chunks = await _chunks(client, stream_options={"include_usage": True})
    assert chunks[0].choices[0].delta.role == "assistant"
    assert _text(chunks) == "Your order 12345 ships on Tuesday."
    assert len(chunks) > 8
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["stop"]
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(tokens("Your order 12345 ships on Tuesday."))
    assert len({chunk.id for chunk in chunks}) == 1


@pytest.mark.asyncio
async def test_no_usage_chunk_comes_unasked(client: AsyncOpenAI) -> None:
    chunks = await _chunks(client)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.asyncio
async def test_an_answer_in_one_piece_is_the_same_answer(sim: OpenAISim, client: AsyncOpenAI) -> None:
    sim.script(Answer("Yes, we do."))
    whole = await client.chat.completions.create(model="sim-1", messages=ASK)
    assert whole.choices[0].message.content == "Yes, we do."
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None and whole.usage.total_tokens > whole.usage.completion_tokens > 0


@pytest.mark.asyncio
async def test_a_long_answer_stops_at_the_token_limit(sim: OpenAISim, client: AsyncOpenAI) -> None:
    sim.script(Answer("one two three four five six"))
    chunks = await _chunks(client, max_completion_tokens=3)
    assert _text(chunks) == "one two three"
    assert chunks[-1].choices[0].finish_reason == "length"


@pytest.mark.asyncio
async def test_tool_calls_arrive_in_pieces_that_join_to_their_arguments(sim: OpenAISim, client: AsyncOpenAI) -> None:
    wanted = [("order_status", {"order": "12345"}), ("opening_hours", {})]
    sim.script(CallTools(wanted, text="One moment."))
    names: dict[int, str] = {}
    arguments: dict[int, str] = {}
    ids: dict[int, str] = {}
    chunks = await _chunks(client)
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or ():
            ids.setdefault(call.index, call.id)
            if call.function.name:
                names[call.index] = call.function.name
            arguments[call.index] = arguments.get(call.index, "") + call.function.arguments
    assert [(names[i], json.loads(arguments[i])) for i in sorted(names)] == wanted
    assert len(set(ids.values())) == 2
    assert _text(chunks) == "One moment."
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


@pytest.mark.asyncio
async def test_broken_arguments_go_out_broken(sim: OpenAISim, client: AsyncOpenAI) -> None:
    sim.script(CallTools([("order_status", '{"order": 123')]))
    whole = await client.chat.completions.create(model="sim-1", messages=ASK)
    calls = whole.choices[0].message.tool_calls
    assert calls is not None and calls[0].type == "function"
    assert calls[0].function.arguments == '{"order": 123'


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "error"), [(500, InternalServerError), (429, RateLimitError)])
async def test_a_failure_is_the_sdk_s_own_error(
    sim: OpenAISim, client: AsyncOpenAI, status: int, error: type[APIError]
) -> None:
    sim.script(Fail(status, code="because", retry_after_secs=7))
    with pytest.raises(error) as raised:
        await _chunks(client)
    assert raised.value.code == "because"
    assert raised.value.response.headers["retry-after"] == "7"  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_the_sdk_retries_a_failure_and_gets_the_next_behaviour(sim: OpenAISim) -> None:
    sim.script(Fail(500), Answer("Second time lucky."))
    async with AsyncOpenAI(base_url=sim.base_url, api_key="any", max_retries=1) as client:
        assert _text(await _chunks(client)) == "Second time lucky."
    assert [type(request.behaviour) for request in sim.requests] == [Fail, Answer]


@pytest.mark.asyncio
@pytest.mark.parametrize("stream", [True, False])
async def test_a_connection_cut_in_mid_answer_is_an_error_after_the_first_words(
    sim: OpenAISim, client: AsyncOpenAI, stream: bool
) -> None:
    sim.script(CloseMidStream(after_tokens=3, text="one two three four five"))
    heard = ""
    with pytest.raises((httpx.RemoteProtocolError, APIConnectionError)):
        answer = await client.chat.completions.create(model="sim-1", messages=ASK, stream=stream)
        async for chunk in answer:
            heard += chunk.choices[0].delta.content or ""
    assert heard == ("one two three" if stream else "")
    await sim.until(lambda: sim.requests[0].outcome == "cut")


@pytest.mark.asyncio
async def test_a_hanging_provider_runs_into_the_client_s_timeout_and_sees_it_leave(
    sim: OpenAISim, client: AsyncOpenAI
) -> None:
    sim.script(Hang())
    with pytest.raises(APITimeoutError):
        await client.with_options(timeout=0.2).chat.completions.create(model="sim-1", messages=ASK)
    await sim.until(lambda: sim.requests[0].outcome == "left")


@pytest.mark.asyncio
async def test_a_provider_that_hangs_after_some_words_has_said_them(sim: OpenAISim, client: AsyncOpenAI) -> None:
    sim.script(Hang("Let me see"))
    stream = await client.with_options(timeout=0.3).chat.completions.create(model="sim-1", messages=ASK, stream=True)
    heard = ""
    with pytest.raises((httpx.ReadTimeout, APITimeoutError)):
        async for chunk in stream:
            heard += chunk.choices[0].delta.content or ""
    assert heard == "Let me see"


@pytest.mark.asyncio
async def test_a_client_that_closes_its_stream_is_noticed(sim: OpenAISim, client: AsyncOpenAI) -> None:
    sim.script(Answer("word " * 500, tokens_per_sec=20))
    stream = await client.chat.completions.create(model="sim-1", messages=ASK, stream=True)
    await anext(aiter(stream))
    assert sim.requests[0].outcome == "open"
    await stream.close()
    await sim.until(lambda: sim.requests[0].outcome == "left")


@pytest.mark.asyncio
async def test_delay_and_pace_are_kept(sim: OpenAISim, client: AsyncOpenAI) -> None:
    loop = asyncio.get_running_loop()
    sim.script(Delay(0.2, Answer("a b c d e f", ttft_secs=0.1, tokens_per_sec=50)))
    began = loop.time()
    stream = await client.chat.completions.create(model="sim-1", messages=ASK, stream=True)
    assert loop.time() - began >= 0.2
    arrivals = [loop.time() - began async for chunk in stream if chunk.choices[0].delta.content]
    assert arrivals[0] >= 0.3
    assert arrivals[-1] - arrivals[0] >= 0.06


@pytest.mark.asyncio
@pytest.mark.parametrize(("behaviour", "text"), [(Empty(), ""), (Whitespace(), " \n \n")])
async def test_an_answer_may_have_no_words(
    sim: OpenAISim, client: AsyncOpenAI, behaviour: Empty | Whitespace, text: str
) -> None:
    sim.script(behaviour)
    chunks = await _chunks(client)
    assert _text(chunks) == text
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.asyncio
async def test_a_callable_decides_by_what_the_request_says() -> None:
    async with (
        OpenAISim(lambda request: Answer(request["messages"][-1]["content"].upper())) as sim,
        AsyncOpenAI(base_url=sim.base_url, api_key="any") as client,
    ):
        assert _text(await _chunks(client)) == "WHERE IS MY ORDER?"
        assert _text(await _chunks(client)) == "WHERE IS MY ORDER?"
        assert [request.messages for request in sim.requests] == [ASK, ASK]
        assert len(sim.connections) == 1


def _strict(schema: dict[str, Any]) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


@pytest.mark.asyncio
async def test_what_openai_refuses_is_refused(sim: OpenAISim, client: AsyncOpenAI) -> None:
    lone_result: Any = [*ASK, {"role": "tool", "tool_call_id": "call_1", "content": "{}"}]
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    no_result: Any = [*ASK, {"role": "assistant", "tool_calls": [call]}, *ASK]
    for messages in ([], lone_result, no_result):
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(model="sim-1", messages=messages)
    assert sim.requests == []
    loose = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    partial = {**loose, "required": [], "additionalProperties": False}
    for form in ({"type": "xml"}, {"type": "json_schema"}, _strict(loose), _strict(partial)):
        with pytest.raises(BadRequestError):
            await client.chat.completions.create(model="sim-1", messages=ASK, response_format=form)
    assert sim.requests == []
    shaped = _strict({**loose, "additionalProperties": False})
    assert (await client.chat.completions.create(model="sim-1", messages=ASK, response_format=shaped)).choices
    both: Any = [*no_result[:2], {"role": "tool", "tool_call_id": "call_1", "content": "{}"}]
    assert (await client.chat.completions.create(model="sim-1", messages=both)).choices


@pytest.mark.asyncio
async def test_a_body_that_is_no_json_is_a_400(sim: OpenAISim) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{sim.base_url}/chat/completions", content=b"{")
    assert answer.status_code == 400
    assert "JSON" in answer.json()["error"]["message"]


@pytest.mark.asyncio
async def test_only_the_right_key_opens() -> None:
    async with OpenAISim(api_key="right", models=["sim-1", "sim-2"]) as sim:
        async with AsyncOpenAI(base_url=sim.base_url, api_key="wrong", max_retries=0) as client:
            with pytest.raises(AuthenticationError):
                await client.models.list()
        async with AsyncOpenAI(base_url=sim.base_url, api_key="right", max_retries=0) as client:
            assert [model.id for model in (await client.models.list()).data] == ["sim-1", "sim-2"]


@pytest.mark.asyncio
async def test_a_hanging_request_does_not_keep_the_provider_from_stopping() -> None:
    async with (
        OpenAISim(Hang()) as sim,
        AsyncOpenAI(base_url=sim.base_url, api_key="k", max_retries=0) as client,
    ):
        asked = asyncio.create_task(_chunks(client))
        await sim.until(lambda: len(sim.requests) == 1)
        await asyncio.to_thread(sim.stop)
        with pytest.raises((APIConnectionError, httpx.HTTPError)):
            await asked


@given(st.text())
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text


def test_the_stand_alone_agent_repeats_or_does_what_the_user_asks() -> None:
    def said(text: str, role: str = "user") -> Any:
        return echo_agent({"messages": [{"role": role, "content": text}]})

    assert said("hello").text == "You said: hello"
    assert said("!fail 429") == Fail(429)
    assert said("!hang let me").text == "let me"
    assert said('!call order_status {"order": "1"}').calls == [("order_status", '{"order": "1"}')]
    assert said('{"state": "sent"}', role="tool").text == 'The tool says: {"state": "sent"}'


def test_it_runs_alone_and_prints_its_address() -> None:
    command = [sys.executable, "-m", "lab.providers.openai_sim", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip().removeprefix("OPENAI_BASE_URL=")
            body = {"model": "m", "messages": [{"role": "user", "content": "hello there"}]}
            answer = httpx.post(f"{url}/chat/completions", json=body)
            assert answer.json()["choices"][0]["message"]["content"] == "You said: hello there"
        finally:
            process.terminate()


@pytest.mark.asyncio
async def test_alone_it_says_that_its_port_is_taken(sim: OpenAISim) -> None:
    port = sim.base_url.removesuffix("/v1").rsplit(":", 1)[1]
    command = [sys.executable, "-m", "lab.providers.openai_sim", "--port", port]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2
    assert f"port {port} cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr
