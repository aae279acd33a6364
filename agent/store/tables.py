"""The journal's tables in SQL."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION = 1

TABLES = MetaData()

SCHEMA = Table("schema_version", TABLES, Column("version", Integer, primary_key=True, autoincrement=False))

EVENTS = Table(
    "events",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("at", Double, nullable=False),
    Column("turn_id", String),
    Column("session_id", String),
    Column("body", Text, nullable=False),
)

LEASES = Table(
    "leases",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("what", String, primary_key=True),
    Column("owner", String, nullable=False),
    Column("grant_id", String, nullable=False),
    Column("expires_at", Double, nullable=False),
)

TOKENS = Table(
    "customer_tokens",
    TABLES,
    Column("sha256", String, primary_key=True),
    Column("conversation_id", String, nullable=False, index=True),
)

VAULT_KEYS = Table(
    "vault_keys",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

VAULT_VALUES = Table(
    "vault_values",
    TABLES,
    Column("conversation_id", ForeignKey("vault_keys.conversation_id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("fingerprint", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("conversation_id", "kind", "fingerprint"),
)

TURNS = Table(
    "turn_log",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("turn_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("session_id", String),
    Column("channel", String, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("spoken", Boolean, nullable=False),
    Column("user_text", Text, nullable=False),
    Column("intent", String),
    Column("confidence", Double, nullable=False),
    Column("language", String, nullable=False),
    Column("frustration", Double, nullable=False),
    Column("decision", String, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("tools", JSON, nullable=False),
    Column("sources", JSON, nullable=False),
    Column("agent_text", Text, nullable=False),
    Column("heard_text", Text),
    Column("level", String, nullable=False),
    Column("stages", JSON, nullable=False),
    Column("total_ms", Double),
    Index("turn_log_by_time", "started_at"),
)

HAND_OFFS = Table(
    "hand_offs",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("hand_off_id", String, primary_key=True),
    Column("state", String, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("brief", Text, nullable=False),
    Column("requested_at", Double, nullable=False),
    Column("channel", String, nullable=False),
)

SESSIONS = Table(
    "sessions",
    TABLES,
    Column("conversation_id", String, primary_key=True),
    Column("session_id", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("channel", String, nullable=False),
    Column("joined_at", Double, nullable=False),
    Index("sessions_by_id", "session_id"),
)
