"""The time of a row's last claim, by which users take turns, and the number of an upload's parts."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = ("dataset_versions", "model_pushes")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))
        op.create_index(op.f(f"ix_{table}_created_by_id"), table, ["created_by_id"])
    op.add_column("resumable_uploads", sa.Column("parts", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("resumable_uploads", "parts")
    for table in TABLES:
        op.drop_index(op.f(f"ix_{table}_created_by_id"), table)
        op.drop_column(table, "claimed_at")
