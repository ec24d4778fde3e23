"""Keep the number of a project's experiments in its row."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("projects", sa.Column("experiment_count", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.execute(
        """
        UPDATE projects SET experiment_count = (
            SELECT count(*) FROM training_jobs
            WHERE training_jobs.project_id = projects.id AND training_jobs.deleted_at IS NULL
        )
        """
    )


def downgrade() -> None:
    op.drop_column("projects", "experiment_count")
