"""The memory's tables, as the migrations make them, and those migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Double, ForeignKey, LargeBinary, MetaData, String, Table
from sqlalchemy.ext.asyncio import AsyncConnection

TABLES = MetaData()


def _customer(**kwargs: Any) -> Column[str]:
    return Column("customer_id", String, ForeignKey("customers.customer_id", ondelete="CASCADE"), **kwargs)


CUSTOMERS = Table(
    "customers",
    TABLES,
    Column("customer_id", String, primary_key=True),
    Column("wrapped_key", LargeBinary),
    Column("merged_into", String, index=True),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
)
"""One that was merged into another has no key any more."""

IDENTIFIERS = Table(
    "customer_identifiers",
    TABLES,
    _customer(primary_key=True),
    Column("hash", String, primary_key=True, index=True),
    Column("kind", String, nullable=False),
    Column("vouched", Boolean, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

FACTS = Table(
    "customer_facts",
    TABLES,
    _customer(primary_key=True),
    Column("name", String, primary_key=True),
    Column("hash", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("conversation_id", String, nullable=False),
    Column("turn_id", String),
    Column("at", Double, nullable=False),
)

CONVERSATIONS = Table(
    "customer_conversations",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    _customer(nullable=False, index=True),
)

MENTIONS = Table(
    "conversation_mentions",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("hash", String, primary_key=True, index=True),
)
"""Whose e-mail address or number was spoken of, be it the customer's or not: erasure must find it."""

ERASED = Table(
    "erased_conversations",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("at", Double, nullable=False, index=True),
)
"""Conversations of which nothing may be written any more."""


async def migrate(connection: AsyncConnection) -> None:
    """Bring the tables up to this version, in the caller's transaction."""
    await connection.run_sync(_migrate)


def _migrate(connection: Connection) -> None:
    from alembic import command  # takes a tenth of a second, which only a start needs
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, "head")
