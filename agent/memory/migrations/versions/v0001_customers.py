"""Customers, what they are known by, what is known of them, and their conversations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.String, primary_key=True),
        sa.Column("wrapped_key", sa.LargeBinary),
        sa.Column("merged_into", sa.String, index=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
    )
    op.create_table(
        "customer_identifiers",
        _customer(primary_key=True),
        sa.Column("hash", sa.String, primary_key=True, index=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("vouched", sa.Boolean, nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "customer_facts",
        _customer(primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("hash", sa.String, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("conversation_id", sa.String, nullable=False),
        sa.Column("turn_id", sa.String),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "customer_conversations",
        sa.Column("conversation_id", sa.String, primary_key=True),
        _customer(nullable=False, index=True),
    )
    op.create_table(
        "conversation_mentions",
        sa.Column("conversation_id", sa.String, primary_key=True),
        sa.Column("hash", sa.String, primary_key=True, index=True),
    )
    op.create_table(
        "erased_conversations",
        sa.Column("conversation_id", sa.String, primary_key=True),
        sa.Column("at", sa.Double, nullable=False, index=True),
    )


def _customer(**kwargs: Any) -> sa.Column[str]:
    return sa.Column("customer_id", sa.String, sa.ForeignKey("customers.customer_id", ondelete="CASCADE"), **kwargs)


def downgrade() -> None:
    for table in (
        "erased_conversations", "conversation_mentions", "customer_conversations", "customer_facts",
        "customer_identifiers", "customers",
    ):  # fmt: skip
        op.drop_table(table)
