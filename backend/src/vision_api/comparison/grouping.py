"""Groups of experiments that may be compared, and reasons why others may not: pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vision_api.comparison.compared_job import ComparedJob
from vision_api.comparison.schemas import ComparableGroup, Incomparable
from vision_api.models import TrainingJob
from vision_contracts import TaskType


def group(compared_jobs: Sequence[ComparedJob]) -> list[ComparableGroup]:
    """Group the experiments that were measured on the same images for the same task.

    An experiment that trained on a folder is a group of its own: the folder may have changed in between.
    """
    return [
        ComparableGroup(
            task_type=TaskType(members[0].job.task_type),
            dataset_digest=members[0].job.dataset_digest,
            validation_split=members[0].job.validation_split,
            jobs=[each.job.id for each in members],
            best_job_id=_best(members),
        )
        for members in _groups(compared_jobs)
    ]


def _groups(compared_jobs: Sequence[ComparedJob]) -> list[list[ComparedJob]]:
    groups: defaultdict[tuple[object, ...], list[ComparedJob]] = defaultdict(list)
    for each in compared_jobs:
        groups[each.job.task_type, each.job.dataset_digest or each.job.id, each.job.validation_split].append(each)
    return list(groups.values())


def _best(members: Sequence[ComparedJob]) -> int | None:
    """Return the id of the best experiment. Larger primary metrics are better; of equal ones the oldest wins."""
    jobs = [each.job for each in members]
    scored = [(job.primary_value, -job.id) for job in jobs if job.primary_value is not None]
    return -max(scored)[1] if scored and not _differ(_images(members)) else None


def _images(members: Sequence[ComparedJob]) -> dict[int, int]:
    """Return the number of validation images in each report, by job."""
    reports = {each.job.id: each.report.report for each in members}
    return {job_id: found.splits["val"].images for job_id, found in reports.items() if found and "val" in found.splits}


def _differ(counts: Mapping[int, int]) -> bool:
    return len(set(counts.values())) > 1


def reasons(compared_jobs: Sequence[ComparedJob]) -> list[Incomparable]:
    """Return everything that makes the experiments incomparable."""
    return list(_reasons(compared_jobs))


def _reasons(compared_jobs: Sequence[ComparedJob]) -> Iterator[Incomparable]:
    jobs = [compared_job.job for compared_job in compared_jobs]
    job_ids = [job.id for job in jobs]
    if len(tasks := {job.task_type for job in jobs}) > 1:
        yield Incomparable(code="task_differs", message=f"The tasks differ: {_list(tasks)}.", jobs=job_ids)
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
    for members in _groups(compared_jobs):
        if _differ(counts := _images(members)):
            message = f"Their reports count different numbers of images: {_list(map(str, counts.values()))}."
            yield Incomparable(code="images_differ", message=message, jobs=list(counts))


def _by_digest(jobs: Sequence[TrainingJob]) -> list[list[TrainingJob]]:
    found: defaultdict[str | None, list[TrainingJob]] = defaultdict(list)
    for job in jobs:
        found[job.dataset_digest].append(job)
    return list(found.values())


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
