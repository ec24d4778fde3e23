"""Other kinds of work beside training: rows of the same table, which belong to the training that they are about.

`parent_id` has no foreign key: SQLite would have to make the table anew, and with it everything that hangs on it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

LISTS = {
    "ix_training_jobs_project_id_deleted_at_id": ["project_id", "deleted_at", "id"],
    "ix_training_jobs_project_id_status": ["project_id", "status", "deleted_at", "id"],
}


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("kind", sa.String(16), nullable=False, server_default="train"))
    op.add_column(
        "training_jobs", sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True)
    )
    op.add_column("training_jobs", sa.Column("work", sa.JSON(), nullable=True))
    _index_lists("kind")
    has_parent = sa.text("parent_id IS NOT NULL")
    op.create_index(
        "ix_training_jobs_parent_id", "training_jobs", ["parent_id"],
        sqlite_where=has_parent, postgresql_where=has_parent,
    )  # fmt: skip


def downgrade() -> None:
    op.execute("DELETE FROM training_jobs WHERE kind <> 'train'")
    op.drop_index("ix_training_jobs_parent_id", "training_jobs")
    _index_lists()
    for name in ("work", "parent_id", "kind"):
        op.drop_column("training_jobs", name)


def _index_lists(*before: str) -> None:
    for name, columns in LISTS.items():
        op.drop_index(name, "training_jobs")
        op.create_index(name, "training_jobs", [columns[0], *before, *columns[1:]])
