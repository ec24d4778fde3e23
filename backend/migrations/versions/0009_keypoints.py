"""Keep how keypoints are called, and which of them are joined."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("keypoint_names", "skeleton"):
        op.add_column("dataset_versions", sa.Column(column, sa.JSON(), nullable=False, server_default="[]"))


def downgrade() -> None:
    for column in ("skeleton", "keypoint_names"):
        op.drop_column("dataset_versions", column)
