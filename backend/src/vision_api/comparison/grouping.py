"""Which experiments may be compared at all: pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from vision_api.comparison.contender import Contender
from vision_api.comparison.schemas import ComparableGroup, Incomparable
from vision_api.models import TrainingJob
from vision_contracts import TaskType


def group(contenders: Sequence[Contender]) -> list[ComparableGroup]:
    """Those that were measured on the same images for the same task. One that trained on a folder stands alone: the
    folder may have changed in between.
    """
    groups: defaultdict[tuple[object, ...], list[TrainingJob]] = defaultdict(list)
    for contender in contenders:
        job = contender.job
        groups[job.task_type, job.dataset_digest or job.id, job.validation_split].append(job)
    return [
        ComparableGroup(
            task_type=TaskType(jobs[0].task_type),
            dataset_digest=jobs[0].dataset_digest,
            validation_split=jobs[0].validation_split,
            jobs=[job.id for job in jobs],
            best_job_id=_best(jobs),
        )
        for jobs in groups.values()
    ]


def _best(jobs: Sequence[TrainingJob]) -> int | None:
    """All primary metrics are better the larger they are; of equal ones the oldest."""
    scored = [(job.primary_value, -job.id) for job in jobs if job.primary_value is not None]
    return -max(scored)[1] if scored else None


def reasons(contenders: Sequence[Contender]) -> list[Incomparable]:
    """Everything that makes them incomparable."""
    return list(_reasons(contenders))


def _reasons(contenders: Sequence[Contender]) -> Iterator[Incomparable]:
    jobs = [contender.job for contender in contenders]
    everyone = [job.id for job in jobs]
    if len(tasks := {job.task_type for job in jobs}) > 1:
        yield Incomparable(code="task_differs", message=f"The tasks differ: {_list(tasks)}.", jobs=everyone)
    if unversioned := [job.id for job in jobs if job.dataset_digest is None]:
        message = "Some trained on a folder, which has no versions: whether it held the same images is not known."
        yield Incomparable(code="dataset_unversioned", message=message, jobs=unversioned)
    versioned = [job for job in jobs if job.dataset_digest is not None]
    if len(digests := {job.dataset_digest or "" for job in versioned}) > 1:
        message = f"The data set versions differ: {_list(digest[:12] for digest in digests)}."
        yield Incomparable(code="dataset_differs", message=message, jobs=[job.id for job in versioned])
    for same in _by_digest(versioned):
        if len(splits := {job.validation_split for job in same}) > 1:
            message = (
                f"The data set brings no validation split, and each seed splits off another one: {_list(splits)}. "
                "Upload it split (`val_fraction`), or train with one seed."
            )
            yield Incomparable(code="split_differs", message=message, jobs=[job.id for job in same])
    yield from _other_images(contenders)


def _by_digest(jobs: Sequence[TrainingJob]) -> list[list[TrainingJob]]:
    found: defaultdict[str | None, list[TrainingJob]] = defaultdict(list)
    for job in jobs:
        found[job.dataset_digest].append(job)
    return list(found.values())


def _other_images(contenders: Sequence[Contender]) -> Iterator[Incomparable]:
    """Reports that should be about the same images, and count others."""
    for found in group(contenders):
        counts = {
            each.job.id: each.report.report.splits["val"].images
            for each in contenders
            if each.job.id in found.jobs and each.report.report is not None and "val" in each.report.report.splits
        }
        if len(set(counts.values())) > 1:
            message = f"Their reports count different numbers of images: {_list(map(str, counts.values()))}."
            yield Incomparable(code="images_differ", message=message, jobs=list(counts))


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
