"""The views as rows: loaded, changed and written back within the transaction of an append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from agent.events import Event
from agent.store.database import Database
from agent.store.tables import HAND_OFFS, SESSIONS, TURNS
from agent.store.views import HandOffRow, SessionRow, Touched, TurnRow, Views, touched


async def update_views(
    database: Database, connection: AsyncConnection, conversation_id: str, version: int, events: Sequence[Event]
) -> None:
    """Change the rows that events touch which were appended at `version`."""
    views = await _load_views(connection, conversation_id, touched(events))
    for each_version, each in enumerate(events, version + 1):
        views.apply(each_version, each)
    await database.upsert(connection, SESSIONS, [vars(views.sessions[i]) for i in views.changed_sessions])
    await database.upsert(connection, TURNS, [vars(views.turns[i]) for i in views.changed_turns])
    await database.upsert(connection, HAND_OFFS, [vars(views.hand_offs[i]) for i in views.changed_hand_offs])


async def _load_views(connection: AsyncConnection, conversation_id: str, needed: Touched) -> Views:
    """The rows that some events touch; nothing is read that they do not touch."""
    views = Views(conversation_id)
    if needed.turn_ids or needed.hand_off_ids:
        of = SESSIONS.c.conversation_id == conversation_id
        last = select(func.max(SESSIONS.c.version)).where(of).scalar_subquery()
        known = or_(SESSIONS.c.session_id.in_(needed.session_ids), SESSIONS.c.version == last)
        for row in await connection.execute(select(SESSIONS).where(of, known)):
            views.sessions[row.session_id] = SessionRow(**row._mapping)
    if needed.turn_ids:
        of = TURNS.c.conversation_id == conversation_id
        for row in await connection.execute(select(TURNS).where(of, TURNS.c.turn_id.in_(needed.turn_ids))):
            views.turns[row.turn_id] = turn_row(row)
    if needed.hand_off_ids:
        of = HAND_OFFS.c.conversation_id == conversation_id
        known = HAND_OFFS.c.hand_off_id.in_(needed.hand_off_ids)
        for row in await connection.execute(select(HAND_OFFS).where(of, known)):
            views.hand_offs[row.hand_off_id] = HandOffRow(**row._mapping)
    return views


def turn_row(row: Row[Any]) -> TurnRow:
    """A turn, from its row."""
    values = dict(row._mapping)
    lists = {name: tuple(values[name]) for name in ("reasons", "tools", "sources")}
    return TurnRow(**{**values, **lists})
