"""What Finn can do at Harbor Public Library; the desk's records are one SQLite file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from typing import Any, TypeVar

from agent.errors import ToolProblem
from agent.tools.registry import ToolContext, tool

LOAN_DAYS = 14
MAX_RENEWALS = 2
ROOM_DAYS_AHEAD = 30
_CLOSED_WEEKDAYS = (1, 7)
"""Monday and Sunday."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cards (
    card_number TEXT PRIMARY KEY, books INTEGER NOT NULL, due TEXT NOT NULL, renewals INTEGER NOT NULL,
    fine_cents INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS rooms (day TEXT PRIMARY KEY, card_number TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS waiting (book_title TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS done (idempotency_key TEXT PRIMARY KEY, tool TEXT NOT NULL, result TEXT NOT NULL);
"""
_CARDS = (
    ("2000001", 3, "2030-05-20", 0, 0),
    ("2000002", 1, "2030-05-22", 2, 0),
    ("2000003", 0, "2030-05-20", 0, 450),
    ("2000004", 5, "2030-05-25", 1, 1275),
)
_T = TypeVar("_T")


@tool(effect="once", keyed=True, says="One moment, I am renewing them.")
async def renew_loan(context: ToolContext, card_number: str) -> dict[str, Any]:
    """Renew everything that is out on a card by two weeks, at most twice.

    Args:
        card_number: The seven digits of the library card.
    """

    def renew(desk: sqlite3.Connection) -> dict[str, Any]:
        card = _card(desk, card_number)
        if card["books"] == 0:
            raise ToolProblem("not_allowed", "There is nothing out on that card.")
        if card["renewals"] >= MAX_RENEWALS:
            raise ToolProblem(
                "not_allowed",
                "Those loans were renewed twice already. Please bring them back by the due date.",
            )
        due = (date.fromisoformat(card["due"]) + timedelta(days=LOAN_DAYS)).isoformat()
        desk.execute("UPDATE cards SET due = ?, renewals = renewals + 1 WHERE card_number = ?", (due, card_number))
        return {"says": f"Renewed. Everything on the card is now due on {_spoken(due)}.", "due": due}

    return await _once(context, "renew_loan", renew)


@tool(
    effect="once",
    keyed=True,
    confirm="Shall I reserve the study room for {day}?",
    says="One moment, I am reserving it.",
)
async def reserve_room(context: ToolContext, card_number: str, day: str) -> dict[str, Any]:
    """Reserve the study room for a whole day, up to 30 days ahead.

    Args:
        card_number: The seven digits of the library card.
        day: The day as an ISO date.
    """

    def reserve(desk: sqlite3.Connection) -> dict[str, Any]:
        _card(desk, card_number)
        on = _room_day(day, context.now.date())
        if desk.execute("SELECT 1 FROM rooms WHERE day = ?", (on.isoformat(),)).fetchone():
            raise ToolProblem(
                "not_allowed", f"The study room is taken on {_spoken(day)}. Which other day would suit you?"
            )
        desk.execute("INSERT INTO rooms VALUES (?, ?)", (on.isoformat(), card_number))
        return {"says": f"The study room is yours on {_spoken(day)}.", "day": on.isoformat()}

    return await _once(context, "reserve_room", reserve)


@tool(effect="safe", says="Let me look.")
async def fine_balance(context: ToolContext, card_number: str) -> dict[str, Any]:
    """Tell which fines are open on a card.

    Args:
        card_number: The seven digits of the library card.
    """

    def look(desk: sqlite3.Connection) -> dict[str, Any]:
        cents = _card(desk, card_number)["fine_cents"]
        dollars = f"${cents // 100}.{cents % 100:02d}"
        return {
            "says": f"Open fines: {dollars}." if cents else "No fines are open on that card.",
            "balance": dollars,
        }

    return await _at_desk(context, look)


@tool(effect="once", keyed=True, says="One moment, I am putting you on the list.")
async def notify_me(context: ToolContext, book_title: str, email: str) -> dict[str, Any]:
    """Put a reader on the list for a book that is out; we write when it is back.

    Args:
        book_title: The title of the book.
        email: Where to write.
    """

    def wait(desk: sqlite3.Connection) -> dict[str, Any]:
        desk.execute("INSERT INTO waiting VALUES (?, ?)", (book_title, email))
        return {
            "says": f"You are on the list for {book_title}. We write as soon as it is back.",
            "title": book_title,
        }

    return await _once(context, "notify_me", wait)


async def _once(
    context: ToolContext, name: str, work: Callable[[sqlite3.Connection], dict[str, Any]]
) -> dict[str, Any]:
    """The work in one transaction; a key that was seen before returns its first result."""

    def keyed(desk: sqlite3.Connection) -> dict[str, Any]:
        desk.execute("BEGIN IMMEDIATE")
        known = desk.execute("SELECT result FROM done WHERE idempotency_key = ?", (context.idempotency_key,)).fetchone()
        if known:
            return dict(json.loads(known["result"]))
        result = work(desk)
        desk.execute("INSERT INTO done VALUES (?, ?, ?)", (context.idempotency_key, name, json.dumps(result)))
        desk.execute("COMMIT")
        return result

    return await _at_desk(context, keyed)


async def _at_desk(context: ToolContext, work: Callable[[sqlite3.Connection], _T]) -> _T:
    def run() -> _T:
        context.data_dir.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(context.data_dir / "library.db", isolation_level=None)) as desk:
            desk.row_factory = sqlite3.Row
            desk.executescript(_SCHEMA)
            desk.executemany("INSERT OR IGNORE INTO cards VALUES (?, ?, ?, ?, ?)", _CARDS)
            return work(desk)

    return await asyncio.to_thread(run)


def _card(desk: sqlite3.Connection, card_number: str) -> sqlite3.Row:
    row: sqlite3.Row | None = desk.execute("SELECT * FROM cards WHERE card_number = ?", (card_number,)).fetchone()
    if row is None:
        raise ToolProblem("not_found", "I find no card with that number. It has seven digits and stands on its back.")
    return row


def _room_day(day: str, today: date) -> date:
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise ToolProblem("invalid", "I did not get the day. Could you give me a date?") from None
    if on < today:
        raise ToolProblem("invalid", f"{_spoken(day)} is in the past. Which day would you like?")
    if on > today + timedelta(days=ROOM_DAYS_AHEAD):
        raise ToolProblem(
            "not_allowed", "The room can be reserved up to 30 days ahead. Which earlier day would suit you?"
        )
    if on.isoweekday() in _CLOSED_WEEKDAYS:
        raise ToolProblem("not_allowed", "We are closed on Sundays and Mondays. Which other day would suit you?")
    return on


def _spoken(iso: str) -> str:
    on = date.fromisoformat(iso)
    return f"{on:%B} {on.day}"
