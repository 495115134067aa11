"""Indexes that leave out what is not there: each costs a page with every token."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = (
    "account_id",
    "actor_account_id",
    "actor_id",
    "grant_id",
    "parent_id",
    "session_id",
    "subject_id",
)
_AUDIT = ("actor_account_id", "owner_account_id")


def upgrade() -> None:
    for column in _BEFORE:
        op.drop_index(f"ix_tokens_{column}", "tokens")
    op.create_index("ix_tokens_account_id_subject_id", "tokens", ["account_id", "subject_id"])
    _create_partial("tokens", "actor_account_id", "actor_id")
    for column in ("grant_id", "parent_id", "session_id"):
        _create_partial("tokens", column)
    for column in _AUDIT:
        op.drop_index(f"ix_audit_events_{column}_at", "audit_events")
        _create_partial("audit_events", column, "at")


def downgrade() -> None:
    for column in _AUDIT:
        op.drop_index(f"ix_audit_events_{column}_at", "audit_events")
        op.create_index(f"ix_audit_events_{column}_at", "audit_events", [column, "at"])
    for column in ("grant_id", "parent_id", "session_id"):
        op.drop_index(f"ix_tokens_{column}", "tokens")
    op.drop_index("ix_tokens_actor_account_id_actor_id", "tokens")
    op.drop_index("ix_tokens_account_id_subject_id", "tokens")
    for column in _BEFORE:
        op.create_index(f"ix_tokens_{column}", "tokens", [column])


def _create_partial(table: str, *columns: str) -> None:
    there = sa.text(f"{columns[0]} IS NOT NULL")
    name = "_".join(("ix", table, *columns))
    op.create_index(name, table, list(columns), sqlite_where=there, postgresql_where=there)
