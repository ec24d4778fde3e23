"""Keep what a failed attempt proposes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("training_jobs", sa.Column("proposed_changes", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("training_jobs", "proposed_changes")
