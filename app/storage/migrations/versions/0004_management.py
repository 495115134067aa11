"""What the management API keeps: answers to repeated creates, and an account's settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("body", sa.String(length=64), nullable=False),
        sa.Column("status", sa.BigInteger(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("asked", sa.JSON(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_expires_at", "idempotency_keys", ["expires_at"])
    op.create_table(
        "evaluation_counts",
        sa.Column("product", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("product", "outcome", "hour", name=op.f("pk_evaluation_counts")),
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settings", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("policies", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deleted_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("oauth_clients", schema=None) as batch_op:
        batch_op.add_column(sa.Column("jwks_uri", sa.String(length=2048), nullable=True))
        batch_op.add_column(sa.Column("allowed_scopes", sa.JSON(none_as_null=True), nullable=True))
        batch_op.add_column(
            sa.Column("allowed_audiences", sa.JSON(none_as_null=True), nullable=True)
        )
    op.create_index("ix_oauth_clients_account_id", "oauth_clients", ["account_id"])
    op.create_table(
        "trust_versions",
        sa.Column("trust_id", sa.String(length=36), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("trusted_account_id", sa.String(length=20), nullable=False),
        sa.Column("condition", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("trust_id", "version", name=op.f("pk_trust_versions")),
    )
    op.execute(
        "INSERT INTO trust_versions (trust_id, version, trusted_account_id, condition, expires_at)"
        " SELECT id, version, trusted_account_id, condition, expires_at FROM trusted_relationships"
    )


def downgrade() -> None:
    op.drop_table("trust_versions")
    op.drop_index("ix_oauth_clients_account_id", "oauth_clients")
    # Said as it is: a batch would make the table anew, which rows of others refer to.
    for column in ("allowed_audiences", "allowed_scopes", "jwks_uri"):
        op.execute(f"ALTER TABLE oauth_clients DROP COLUMN {column}")
    op.execute("ALTER TABLE policies DROP COLUMN deleted_at")
    op.execute("ALTER TABLE accounts DROP COLUMN settings")
    op.drop_index("ix_idempotency_keys_expires_at", "idempotency_keys")
    op.drop_table("evaluation_counts")
    op.drop_table("idempotency_keys")
