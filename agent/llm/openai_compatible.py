"""A level of the chain at any OpenAI-compatible endpoint, by the official SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import openai
from openai import AsyncOpenAI

from agent.errors import ProviderError
from agent.llm.prompt import Prompt, TextDelta, ToolCall, as_messages, as_tools


class OpenAICompatible:
    """Streams chat completions with tool calls.

    Source: https://platform.openai.com/docs/api-reference/chat/streaming
    """

    def __init__(
        self, *, base_url: str | None, api_key: str, model: str, temperature: float = 0.3, max_tokens: int = 500
    ) -> None:
        self.name = model
        self._client = AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=30.0)
        self._settings = {"model": model, "temperature": temperature, "max_tokens": max_tokens}

    async def think(self, prompt: Prompt) -> AsyncGenerator[TextDelta | ToolCall, None]:
        """Text as it comes, then the tool calls. Raises ProviderError."""
        request: dict[str, Any] = {**self._settings, "messages": as_messages(prompt), "stream": True}
        if prompt.tools:
            request["tools"] = as_tools(prompt)
        calls: dict[int, dict[str, str]] = {}
        with _as_provider_errors():
            stream = await self._client.chat.completions.create(**request)
            async with stream:
                async for chunk in stream:
                    for choice in chunk.choices:
                        if choice.delta.content:
                            yield TextDelta(choice.delta.content)
                        for part in choice.delta.tool_calls or ():
                            call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
                            call["id"] = part.id or call["id"]
                            if part.function:
                                call["name"] += part.function.name or ""
                                call["arguments"] += part.function.arguments or ""
        for index, call in sorted(calls.items()):
            yield ToolCall(call["id"] or f"call-{index}", call["name"], _arguments(call["arguments"]))

    async def write_json(self, system: str, user: str, name: str, schema: Mapping[str, Any]) -> str:
        """An answer in the form of a JSON schema, as far as the model obeys it. Raises ProviderError.

        Source: https://platform.openai.com/docs/guides/structured-outputs
        """
        form = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": dict(schema)}}
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        request: dict[str, Any] = {**self._settings, "temperature": 0.0, "messages": messages, "response_format": form}
        with _as_provider_errors():
            answer = await self._client.chat.completions.create(**request)
        return (answer.choices[0].message.content or "") if answer.choices else ""

    async def close(self) -> None:
        await self._client.close()


@contextmanager
def _as_provider_errors() -> Iterator[None]:
    try:
        yield
    except openai.APIStatusError as fault:
        raise ProviderError(f"HTTP {fault.status_code}", retryable=fault.status_code >= 429) from fault
    except (openai.OpenAIError, httpx.HTTPError, OSError, ValueError) as fault:
        raise ProviderError(type(fault).__name__) from fault


def _arguments(written: str) -> dict[str, Any]:
    try:
        arguments = json.loads(written or "{}")
    except ValueError:
        raise ProviderError("a tool call with broken arguments") from None
    if not isinstance(arguments, dict):
        raise ProviderError("a tool call whose arguments are no object")
    return arguments
