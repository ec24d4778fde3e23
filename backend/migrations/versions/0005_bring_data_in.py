"""Uploads that can be resumed, imports, and how far the processing of a version is."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "resumable_uploads",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", BIG_INT, nullable=False),
        sa.Column("length", BIG_INT, nullable=False),
        sa.Column("offset", BIG_INT, nullable=False),
        sa.Column("writer", sa.Integer(), nullable=False),
        sa.Column("upload_metadata", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("dataset_id", BIG_INT, nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resumable_uploads")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_resumable_uploads_user_id_users")),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_resumable_uploads_dataset_id_datasets"),
            ondelete="SET NULL",
        ),
    )
    for column in ("user_id", "expires_at", "dataset_id"):
        op.create_index(op.f(f"ix_resumable_uploads_{column}"), "resumable_uploads", [column])
    op.add_column("dataset_versions", sa.Column("import_uri", sa.Text(), nullable=True))
    op.add_column("dataset_versions", sa.Column("progress_stage", sa.String(16), nullable=True))
    op.add_column("dataset_versions", sa.Column("progress_percent", sa.Integer(), nullable=True))


def downgrade() -> None:
    for column in ("progress_percent", "progress_stage", "import_uri"):
        op.drop_column("dataset_versions", column)
    op.drop_table("resumable_uploads")
