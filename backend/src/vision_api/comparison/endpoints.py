"""Routes of comparisons: `/training/jobs/compare` and a project's leaderboard."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from vision_api.auth.dependencies import CurrentUser
from vision_api.comparison import repository, use_cases, workflows
from vision_api.comparison.schemas import Comparison, LeaderboardEntry
from vision_api.dependencies import CatalogDep, DatabaseDep, ReadSession, StoreDep
from vision_api.errors import Invalid
from vision_api.kit.pagination import PageParams, set_page_headers
from vision_api.kit.schemas import ResourceId
from vision_api.projects.access import get_project_for
from vision_contracts import TaskType

router = APIRouter(tags=["comparisons"])

Framework = Annotated[str | None, Query(max_length=64, description="Only experiments of one framework; ranks stay.")]


@router.get("/training/jobs/compare")
async def compare_training_jobs(
    database: DatabaseDep,
    store: StoreDep,
    catalog: CatalogDep,
    user: CurrentUser,
    ids: Annotated[list[str], Query(description="2 to 10 experiments, repeated or separated by commas: `1,2,3`.")],
    split: Annotated[
        str, Query(max_length=64, description="The split whose classes are compared: `val` or `test`.")
    ] = "val",
    names: Annotated[list[str] | None, Query(description="Only these curves, as in `ids`.")] = None,
    max_points: Annotated[
        int, Query(ge=4, le=10_000, description="Limit of points for each curve; extremes are kept.")
    ] = 200,
) -> Comparison:
    """Compare experiments across projects and frameworks: settings, metrics, curves, classes and cost.

    Numbers of different tasks, data set versions or validation splits cannot be compared: then `comparable` is false,
    `reasons` has the reasons, and `groups` has the experiments whose numbers may be compared. Metrics are those of the
    best checkpoints, from `report.json` if there is one; the state of each report is given with its experiment.
    """
    return await workflows.compare(
        database,
        store=store,
        catalog=catalog,
        user=user,
        job_ids=[_id(text) for text in _split(ids)],
        split=split,
        names=_split(names or ()),
        max_points=max_points,
    )


def _split(values: Sequence[str]) -> list[str]:
    return [part.strip() for text in values for part in text.split(",") if part.strip()]


def _id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 19):
        raise Invalid(f"{text[:50]!r} is not the id of an experiment: write ids=1,2,3.", field="ids")
    return int(text)


@router.get("/projects/{project_id}/leaderboard")
async def get_leaderboard(
    project_id: ResourceId,
    session: ReadSession,
    user: CurrentUser,
    params: PageParams,
    request: Request,
    response: Response,
    task_type: Annotated[TaskType | None, Query(description="Only experiments of one task.")] = None,
    dataset_digest: Annotated[str | None, Query(max_length=64, description="Only on one data set version.")] = None,
    validation_split: Annotated[str | None, Query(max_length=32, description="Only on one split.")] = None,
    framework: Framework = None,
    top: Annotated[int | None, Query(ge=1, le=10_000, description="Only the best of each group.")] = None,
) -> list[LeaderboardEntry]:
    """List the completed experiments of a project, best first by the primary metric, group by group.

    A group is one task, data set version and validation split; ranks count within it. Equal experiments share a rank,
    the newest first. Experiments that trained on a folder are not ranked: a folder has no versions.
    """
    await get_project_for(session, user, project_id)
    query = repository.ranked_jobs(
        project_id,
        task_type=task_type,
        dataset_digest=dataset_digest,
        validation_split=validation_split,
        framework=framework,
        top=top,
    )
    page = await use_cases.page_leaderboard(session, query=query, params=params)
    set_page_headers(request, response, page)
    return list(page.items)
