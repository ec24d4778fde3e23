"""Counts of throttles, shared by all backends, and networks of sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "throttle_counts",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_throttle_counts")),
    )
    op.create_index(op.f("ix_throttle_counts_expires_at"), "throttle_counts", ["expires_at"])
    op.create_table(
        "sign_in_networks",
        sa.Column("user_id", BIG_INT, nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("signed_in_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("user_id", "network", name=op.f("pk_sign_in_networks")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_sign_in_networks_user_id_users"), ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("sign_in_networks")
    op.drop_table("throttle_counts")
