"""What a dialogue is made of, and what goes into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from agent.business import Business
from agent.dialogue.policy import EarPolicy
from agent.dialogue.summary import Summariser
from agent.knowledge.retrieval import Retrieval
from agent.llm.chain import Chain
from agent.llm.prompt import Medium
from agent.memory.recall import Memory
from agent.phrases import Phrases
from agent.tools.registry import Tool
from agent.tools.running import ToolRunner
from agent.understanding.understander import Understander


@dataclass(frozen=True)
class Parts:
    """What one business's dialogue is made of; shared by its sessions."""

    business: Business
    phrases: Phrases
    tools: Mapping[str, Tool]
    understander: Understander
    retrieval: Retrieval
    chain: Chain
    runner: ToolRunner
    summariser: Summariser
    ear: EarPolicy = field(default_factory=EarPolicy)
    memory: Memory | None = None

    def within(self, language: str) -> Parts:
        """The same parts with the business's and the agent's words in a language, where they have them."""
        return replace(self, business=self.business.within(language), phrases=self.phrases.within(language))

    def today(self, now: float) -> date:
        """The date at `now` (seconds since the epoch) where the business is."""
        return datetime.fromtimestamp(now, ZoneInfo(self.business.time_zone)).date()


@dataclass(frozen=True)
class TurnHeard:
    """One complete turn of the customer. `text` is written, with tokens."""

    turn_id: str
    text: str
    medium: Medium
    spoken: bool = False
    confidence: float = 1.0
