"""Everything that one process shares: the business, its dialogue parts, the journal, the models."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import structlog

from agent import events as ev
from agent.business import Business
from agent.dialogue.summary import Summariser, SummaryPolicy
from agent.knowledge.retrieval import Retrieval
from agent.live import LiveConversation
from agent.llm.chain import Chain, ChainPolicy
from agent.llm.grounded import Grounded
from agent.loading import load_business
from agent.parts import Parts
from agent.phrases import Phrases
from agent.store.database import Database
from agent.store.memory import MemoryJournal
from agent.store.passing import Home
from agent.store.vault import Vault
from agent.tools.registry import Tool
from agent.tools.running import ToolRunner
from agent.understanding.embedding import MiniLM
from agent.understanding.intents import Intents, built_in_examples
from agent.understanding.model_intents import ModelIntentPolicy, ModelIntents
from agent.understanding.understander import Understander, training_examples
from pipelines.ingest import make_retrieval, open_knowledge
from pipelines.journal import open_journal, vault_key
from pipelines.memory import end_erased, open_memory
from pipelines.services import load_engines, make_model, make_models
from pipelines.settings import Settings
from pipelines.text import answer
from processors.speech.loading import Embedded

log = structlog.get_logger()


class UnknownToken(Exception):
    """A customer's token that leads to no conversation."""


class Busy(Exception):
    """No room for another session now."""


@dataclass
class Session:
    """One connection while it lasts; `end` ends it from outside."""

    session_id: str
    live: LiveConversation
    reason: str = "closed"
    """Why it ended: `closed` by the customer, `ended` by the agent, `drained`, `erased`."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, reason: Literal["drained", "erased"]) -> None:
        """Tell its customer why, and end it."""
        self.reason = reason
        self.closing.set()

    @property
    def last_words(self) -> str:
        """The phrase that is said when it is ended from outside."""
        return "erased" if self.reason == "erased" else "closing"


class Runtime:
    """Made once per process by `Runtime.start`."""

    def __init__(
        self,
        settings: Settings,
        business: Business,
        parts: Parts,
        journal: Home,
        vaults: Vault,
        engines: Embedded | None,
    ) -> None:
        self.settings = settings
        self.business = business
        self.parts = parts
        self.journal = journal
        self.vaults = vaults
        self.engines = engines
        self.sessions: dict[str, Session] = {}
        self.draining = False
        self._memory: tuple[Database, asyncio.Task[None]] | None = None

    @classmethod
    async def start(cls, settings: Settings, *, voice: bool = True) -> Runtime:
        """Load everything, models side by side; without `voice` text channels only.

        Raises BusinessFault where the business's files are wrong.
        """
        business, tools = load_business(settings.business)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        key = vault_key(settings)
        cache = settings.data_dir / "cache"
        pool = ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2), thread_name_prefix="encoder")
        loading = asyncio.create_task(load_engines(settings, business)) if voice else None
        encoder = await asyncio.to_thread(MiniLM, cache)
        pages = await asyncio.to_thread(open_knowledge, settings, business, encoder)
        examples = training_examples(business, pages.current().questions)
        intents = await asyncio.to_thread(Intents.train, examples, encoder, cache_dir=cache)
        retrieval = make_retrieval(pages, encoder, pool)
        journal = await open_journal(settings, clock=time.time)
        understander = Understander(business, intents, encoder, pool, _intent_model(settings, business, examples))
        parts = _parts(settings, business, tools, understander, retrieval)
        await _warm(parts)
        memory, database = await open_memory(settings, business, understander, journal, key)
        parts = replace(parts, memory=memory)
        runtime = cls(settings, business, parts, journal, Vault(journal, key), await loading if loading else None)
        runtime.keep_memory(database)
        return runtime

    async def open(self, conversation_id: str, session_id: str, channel: ev.Channel) -> LiveConversation:
        """The conversation for one session, which joins it. A session of before that never left was lost."""
        live = await LiveConversation.open(
            conversation_id,
            journal=self.journal,
            vault=await self.vaults.open(conversation_id),
            session_id=session_id,
            clock=time.time,
        )
        if session_id not in live.state.sessions:
            await live.record(ev.SessionJoined(channel=channel, **live.stamp()))
        return live

    async def peek(self, conversation_id: str) -> LiveConversation:
        """The conversation for reading: no session joins it."""
        return await LiveConversation.open(
            conversation_id,
            journal=self.journal,
            vault=await self.vaults.open(conversation_id),
            session_id="",
            clock=time.time,
        )

    async def find_or_begin(self, token: str | None) -> tuple[str, str]:
        """(conversation_id, token) of a known token, or of a new conversation. Raises UnknownToken."""
        if token is None:
            conversation_id = secrets.token_hex(12)
            return conversation_id, await self.journal.issue_token(conversation_id)
        known = await self.journal.find_token(token)
        if known is None:
            raise UnknownToken
        return known, token

    def parts_in_use(self) -> list[tuple[str, str, str]]:
        """(job, part, why) of each job that a setting can give to another part."""
        s = self.settings
        model = (s.openai_model, "OPENAI_API_KEY or OPENAI_BASE_URL is set") if s.uses_model else None
        return [
            ("model", *(model or ("grounded responder", "no model is set"))),
            ("intents", s.intent_model, "INTENT_MODEL is set")
            if s.intent_model
            else ("intents", "embedded classifier", "no INTENT_MODEL"),
            ("ear", *s.chosen_ear()),
            ("voice", *s.chosen_voice()),
            ("journal", "Postgres" if s.shares_database else "SQLite", _why("DATABASE_URL", s.database_url)),
            ("hot copy", "Redis" if s.redis_url else "off", _why("REDIS_URL", s.redis_url)),
            ("knowledge", "embedded index", "built from the business's knowledge folder"),
            ("rooms", s.livekit_url, "LIVEKIT_URL is set") if s.livekit_url else ("rooms", "off", "no LIVEKIT_URL"),
        ]

    def admit(self, live: LiveConversation) -> Session:
        """Room for one more session. Raises Busy."""
        if self.draining or len(self.sessions) >= self.settings.max_sessions:
            raise Busy
        session = Session(live.session_id, live)
        self.sessions[session.session_id] = session
        return session

    @asynccontextmanager
    async def carrying(self, session: Session) -> AsyncIterator[None]:
        """Around an admitted session: afterwards it has left its conversation, whatever happened."""
        try:
            yield
        finally:
            self.sessions.pop(session.session_id, None)
            await self.leave(session.live, session.reason)
            session.ended.set()

    async def leave(self, live: LiveConversation, reason: str) -> None:
        await live.record(ev.SessionLeft(reason=reason, **live.stamp()))
        if self.parts.memory:
            self.parts.memory.learn(live)

    async def stop(self, grace_secs: float = 15.0) -> None:
        """Tell every session, let what runs end, close the stores."""
        self.draining = True
        sessions = list(self.sessions.values())
        for session in sessions:
            session.end("drained")
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_secs):
                await asyncio.gather(*(session.ended.wait() for session in sessions))
        await self.parts.runner.finish(timeout_secs=grace_secs)
        await self.parts.summariser.finish(timeout_secs=1.0)
        await self._end_memory()
        await self.journal.close()

    def keep_memory(self, database: Database) -> None:
        """Look, while the server runs, for customers who were erased; `stop` closes the memory's database."""
        self._memory = database, asyncio.create_task(end_erased(self))

    async def _end_memory(self) -> None:
        if self.parts.memory and self._memory:
            database, looking = self._memory
            looking.cancel()
            await self.parts.memory.finish()
            await database.close()


def _why(setting: str, value: str) -> str:
    return f"{setting} is set" if value else f"no {setting}"


async def _warm(parts: Parts) -> None:
    """A turn that nobody sees: what is loaded at first use is loaded before the first customer."""
    journal = MemoryJournal(clock=time.time)
    vault = await Vault(journal, secrets.token_bytes(32)).open("warm-up")
    live = await LiveConversation.open("warm-up", journal=journal, vault=vault, session_id="warm-up", clock=time.time)
    async for _ in answer("hello, what can you do?", live, parts):
        pass


def _parts(
    settings: Settings,
    business: Business,
    tools: Mapping[str, Tool],
    understander: Understander,
    retrieval: Retrieval,
) -> Parts:
    further = {code: business.translated_phrases(code) for code in business.languages[1:]}
    phrases = Phrases.load(business.languages[0], business.phrases, further)
    zone = ZoneInfo(business.time_zone)
    runner = ToolRunner(
        tools,
        data_dir=settings.data_dir,
        phrases=phrases,
        who=business.hand_off.who,
        understander=understander,
        today=lambda: datetime.now(zone),
    )
    models = make_models(settings, business, tools)
    chain = Chain(
        [*models, Grounded(phrases, tools)],
        phrases,
        ChainPolicy(first_useful_secs=settings.model_first_token_secs),
    )
    summariser = Summariser(
        SummaryPolicy.for_window(settings.window.fewest_turns), understander.protect, models[0] if models else None
    )
    return Parts(business, phrases, tools, understander, retrieval, chain, runner, summariser)


def _intent_model(settings: Settings, business: Business, examples: Mapping[str, Sequence[str]]) -> ModelIntents | None:
    if not settings.intent_model:
        return None
    policy = ModelIntentPolicy(deadline_secs=settings.intent_model_secs)
    known = {**built_in_examples(), **examples}
    return ModelIntents(make_model(settings, settings.intent_model), business.name, known, policy)
