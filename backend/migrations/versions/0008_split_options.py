"""Keep how a version is to be split."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset_versions", sa.Column("split_options", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("dataset_versions", "split_options")
