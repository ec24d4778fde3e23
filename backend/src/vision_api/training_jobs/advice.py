"""What can be done with an experiment that has ended, said to its user."""

from vision_api.models import TrainingJob


def next_step_advice(job: TrainingJob) -> str:
    """A sentence that names the request."""
    if job.checkpoint_uri is not None:
        return f"Resume it to go on from its checkpoint at step {job.checkpoint_step}, or retry it from the beginning."
    return "It has left no checkpoint: retry it to train from the beginning."
