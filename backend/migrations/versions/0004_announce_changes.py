"""Announce changes of training jobs to every backend (PostgreSQL only)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# A statement each: asyncpg prepares them one by one.
STATEMENTS = (
    """
    CREATE FUNCTION announce_training_job() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify(TG_ARGV[0], NEW.id::text);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER training_jobs_changed AFTER UPDATE OF last_event_id, deleted_at ON training_jobs
    FOR EACH ROW WHEN (
        OLD.last_event_id IS DISTINCT FROM NEW.last_event_id OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
    ) EXECUTE FUNCTION announce_training_job('training_job_changed')
    """,
    """
    CREATE TRIGGER training_jobs_asked AFTER UPDATE OF status, priority, deleted_at ON training_jobs
    FOR EACH ROW WHEN (
        OLD.status IS DISTINCT FROM NEW.status OR OLD.priority IS DISTINCT FROM NEW.priority
        OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at
    ) EXECUTE FUNCTION announce_training_job('training_job_asked')
    """,
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for statement in STATEMENTS:
            op.execute(statement)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER training_jobs_asked ON training_jobs")
        op.execute("DROP TRIGGER training_jobs_changed ON training_jobs")
        op.execute("DROP FUNCTION announce_training_job()")
