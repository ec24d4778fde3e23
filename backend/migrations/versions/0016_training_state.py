"""Training states that were trimmed."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("is_state_trimmed", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("training_jobs", column)


def downgrade() -> None:
    op.drop_column("training_jobs", "is_state_trimmed")
