"""Runs tools: arguments checked, effects written down before they happen, outcomes in plain words.

    proposed -> confirmed -> started (acknowledged) -> done | failed | unknown -> told

A reply may be cut off; a tool that has started is not: it runs to its end and its outcome is journalled.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from agent import events as ev
from agent.conversation import Effect
from agent.errors import ProviderError, ToolProblem
from agent.live import LiveConversation
from agent.llm.prompt import ToolCall, ToolOutcome
from agent.phrases import Phrases
from agent.tools.registry import Tool, ToolContext
from agent.understanding.understander import Understander

MAX_RESULT_CHARS = 8_000
log = structlog.get_logger()


def effect_key(conversation_id: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """The ledger's key: the same call in the same conversation has the same key."""
    canonical = json.dumps([conversation_id, tool, arguments], sort_keys=True, ensure_ascii=False, default=str)
    return f"{tool}-{hashlib.sha256(canonical.encode()).hexdigest()[:16]}"


class ToolRunner:
    """Runs the tools of one business; shared by its sessions."""

    def __init__(
        self,
        tools: Mapping[str, Tool],
        *,
        data_dir: Path,
        phrases: Phrases,
        who: str,
        understander: Understander,
        today: Callable[[], datetime],
        at_once: int = 8,
    ) -> None:
        self.tools = tools
        self._data_dir = data_dir
        self._phrases = phrases
        self._who = who
        self._understander = understander
        self._today = today
        self._slots = asyncio.Semaphore(at_once)
        self._running: set[asyncio.Task[ToolOutcome]] = set()

    def start(self, call: ToolCall, live: LiveConversation, turn_id: str) -> asyncio.Task[ToolOutcome]:
        """Begin a call; await the task under `asyncio.shield`, so that a cut-off reply does not cut it off."""
        task = asyncio.create_task(self._run(call, live, turn_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def finish(self, timeout_secs: float) -> None:
        """Wait for what still runs, before the process ends."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_secs)

    def checked(self, call: ToolCall) -> str | None:
        """What is wrong with a call, in words that a model can act on; None where nothing is."""
        tool = self.tools.get(call.tool)
        if tool is None:
            return f"There is no tool {call.tool}. The tools are: {', '.join(self.tools)}."
        try:
            tool.arguments.model_validate(call.arguments)
        except ValidationError as fault:
            return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors(include_input=False))
        return None

    async def _run(self, call: ToolCall, live: LiveConversation, turn_id: str) -> ToolOutcome:
        fault = self.checked(call)
        if fault:
            return ToolOutcome(call, "invalid", {"error": fault}, "")
        tool = self.tools[call.tool]
        key = effect_key(live.conversation_id, tool.name, call.arguments)
        effect_id = key if tool.effect == "once" else f"{tool.name}-{turn_id}-{call.call_id}"
        known = live.state.effects.get(effect_id)
        if tool.effect == "once" and known and known.state in ("started", "done", "unknown"):
            return self._recognised(call, known)
        stamp = live.stamp(turn_id)
        started = ev.EffectStarted(
            effect_id=effect_id, tool=tool.name, arguments=call.arguments, effect=tool.effect, **stamp
        )
        try:
            if not await live.record_first(started):
                return self._recognised(call, live.state.effects[effect_id])
            status, result = await self._call(tool, call, live, key)
        except ProviderError:  # its start cannot be kept, so it does not happen
            status, result = "failed", {"says": self._phrases.say("tool_waits"), "kind": "down"}
        result = _protected(result, live, self._understander)
        await live.record(ev.EffectEnded(effect_id=effect_id, status=status, result=result, **live.stamp(turn_id)))
        return ToolOutcome(call, status, result, str(result.get("says", "")))

    def _recognised(self, call: ToolCall, known: Effect) -> ToolOutcome:
        """The outcome of an effect that the ledger has already."""
        if known.state == "done":
            says = self._phrases.say("already_done", says=known.result.get("says", ""))
            return ToolOutcome(call, "done", known.result, says)
        says = self._phrases.say("tool_unknown", who=self._who)
        return ToolOutcome(call, "unknown", {"error": "its outcome is not known"}, says)

    async def _call(
        self, tool: Tool, call: ToolCall, live: LiveConversation, key: str
    ) -> tuple[ev.EffectStatus, dict[str, Any]]:
        context = ToolContext(self._data_dir, self._today(), live.conversation_id, key)
        arguments = {
            name: live.vault.reveal_text(value, "tool") if isinstance(value, str) else value
            for name, value in call.arguments.items()
        }
        values = tool.arguments.model_validate(arguments).__dict__
        try:
            async with self._slots, asyncio.timeout(tool.timeout_secs):
                result = await tool.run(context, **values)
        except ToolProblem as problem:
            return "failed", {"says": problem.says, "kind": problem.kind}
        except TimeoutError:
            log.warning("a tool did not answer in time", tool=tool.name, timeout_secs=tool.timeout_secs)
            if tool.effect == "once":
                return "unknown", {"says": self._phrases.say("tool_unknown", who=self._who), "kind": "down"}
        except (Exception, SystemExit) as fault:
            log.error("a tool raised", tool=tool.name, error=type(fault).__name__)
        else:
            return "done", result if isinstance(result, dict) else {"says": str(result)}
        return "failed", {"says": self._phrases.say("tool_down", who=self._who), "kind": "down"}


def _protected(result: dict[str, Any], live: LiveConversation, understander: Understander) -> dict[str, Any]:
    """A tool's result with personal data as tokens, cut to a size that a model can take."""

    def protect(value: Any) -> Any:
        if isinstance(value, str):
            return understander.protect(live.vault.hide(value[:MAX_RESULT_CHARS]), live.vault)
        if isinstance(value, dict):
            return {str(k): protect(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [protect(v) for v in value[:50]]
        return value if isinstance(value, int | float | bool | None) else str(value)

    protected: dict[str, Any] = protect(result)
    return protected
