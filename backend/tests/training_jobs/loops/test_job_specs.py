"""The specification that a training service gets."""

from support.job_rows import MakeJob

from vision_api.db.session import Database
from vision_api.models import Artifact, JobStatus, TrainingJob
from vision_api.training_jobs.loops.job_specs import make_spec


async def add_best_checkpoint(database: Database, job: TrainingJob) -> None:
    async with database.transaction() as session:
        session.add(
            Artifact(
                job_id=job.id,
                name="checkpoints/best.pt",
                kind="checkpoint",
                uri="file:///s/3.pt",
                size_bytes=10,
                sha256="0" * 64,
                content_type="application/octet-stream",
                attempt=1,
                created_at=job.created_at,
            )
        )


async def test_the_spec_of_a_resumed_training_names_its_best_checkpoint(database: Database, make_job: MakeJob) -> None:
    resumed = await make_job(status=JobStatus.QUEUED, attempt=2, checkpoint_uri="file:///s/9.pt", checkpoint_step=9)
    anew = await make_job(status=JobStatus.QUEUED, attempt=2)
    for job in (resumed, anew):
        await add_best_checkpoint(database, job)

    async with database.snapshot() as session:
        assert (await make_spec(session, resumed)).best_checkpoint_uri == "file:///s/3.pt"
        assert (await make_spec(session, anew)).best_checkpoint_uri is None
