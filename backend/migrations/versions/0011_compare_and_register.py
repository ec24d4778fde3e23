"""Models that are registered, what a training is measured on, and the leaderboard's index."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG_INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
IS_IN_PRODUCTION = sa.text("stage = 'production'")
IS_RANKED = sa.text("status = 'completed' AND deleted_at IS NULL")


def upgrade() -> None:
    op.add_column("dataset_versions", sa.Column("is_val_split_off", sa.Boolean(), nullable=True))
    op.add_column("training_jobs", sa.Column("environment", sa.JSON(), nullable=True))
    op.add_column(
        "training_jobs",
        sa.Column("validation_split", sa.String(32), server_default=sa.text("'val'"), nullable=False),
    )
    # Whether their data sets bring a `val` was not kept: only trainings of one seed are certain to be comparable.
    op.execute(
        "UPDATE training_jobs SET validation_split = 'val-seed-' || seed WHERE dataset_digest IS NOT NULL"
    )
    op.create_index(
        "ix_training_jobs_leaderboard",
        "training_jobs",
        ["project_id", "task_type", "dataset_digest", "validation_split", "primary_value", "id"],
        sqlite_where=IS_RANKED,
        postgresql_where=IS_RANKED,
    )
    _create_registered_models()
    _create_model_versions()


def _create_registered_models() -> None:
    op.create_table(
        "registered_models",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("project_id", BIG_INT, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registered_models")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_registered_models_project_id_name")),
        sa.ForeignKeyConstraint(
            ["project_id"],
            ["projects.id"],
            name=op.f("fk_registered_models_project_id_projects"),
            ondelete="CASCADE",
        ),
        sqlite_autoincrement=True,
    )


def _create_model_versions() -> None:
    op.create_table(
        "model_versions",
        sa.Column("id", BIG_INT, nullable=False),
        sa.Column("uid", sa.Uuid(), nullable=False),
        sa.Column("model_id", BIG_INT, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("created_by_id", BIG_INT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("job_id", BIG_INT, nullable=True),
        sa.Column("artifact", sa.String(255), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("size_bytes", BIG_INT, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content_type", sa.String(128), nullable=False),
        sa.Column("lineage", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        sa.UniqueConstraint("uid", name=op.f("uq_model_versions_uid")),
        sa.UniqueConstraint("model_id", "number", name=op.f("uq_model_versions_model_id_number")),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["registered_models.id"],
            name=op.f("fk_model_versions_model_id_registered_models"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_model_versions_created_by_id_users")),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["training_jobs.id"],
            name=op.f("fk_model_versions_job_id_training_jobs"),
            ondelete="SET NULL",
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_model_versions_job_id"), "model_versions", ["job_id"])
    op.create_index(
        "uq_model_versions_production",
        "model_versions",
        ["model_id"],
        unique=True,
        sqlite_where=IS_IN_PRODUCTION,
        postgresql_where=IS_IN_PRODUCTION,
    )


def downgrade() -> None:
    op.drop_table("model_versions")
    op.drop_table("registered_models")
    op.drop_index("ix_training_jobs_leaderboard", "training_jobs")
    op.drop_column("training_jobs", "validation_split")
    op.drop_column("training_jobs", "environment")
    op.drop_column("dataset_versions", "is_val_split_off")
