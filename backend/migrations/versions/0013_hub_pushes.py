"""Versions of registered models on their way to a hub."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("registered_models", sa.Column("hub_repository", sa.String(200), nullable=True))
    op.create_index("uq_registered_models_hub_repository", "registered_models", ["hub_repository"], unique=True)
    op.create_table(
        "model_pushes",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("version_id", BIG_INT, nullable=False),
        sa.Column("repository", sa.String(200), nullable=False),
        sa.Column("is_private", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("commit_url", sa.Text(), nullable=True),
        sa.Column("error_code", sa.String(64), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("created_by_id", BIG_INT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("lease_expires_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_pushes")),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["model_versions.id"],
            name=op.f("fk_model_pushes_version_id_model_versions"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_model_pushes_created_by_id_users")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_model_pushes_version_id"), "model_pushes", ["version_id"])
    op.create_index(op.f("ix_model_pushes_status"), "model_pushes", ["status"])


def downgrade() -> None:
    op.drop_table("model_pushes")
    op.drop_index("uq_registered_models_hub_repository", "registered_models")
    op.drop_column("registered_models", "hub_repository")
