"""Alembic's environment: the migrations run in the transaction, and under the lock, of whoever calls them."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="memory_version")
context.run_migrations()
