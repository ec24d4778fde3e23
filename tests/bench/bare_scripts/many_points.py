"""A training service that reports a great many metric points as fast as they are read, and trains nothing.

python many_points.py PORT EVENTS POINTS_PER_EVENT      with SERVICE_TOKEN in the environment
"""

import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from vision_contracts import (
    EventBody,
    Finished,
    HeldJob,
    JobEvent,
    Metrics,
    ModelCard,
    ModelList,
    ServiceReady,
    Started,
    TaskType,
)

EVENTS, POINTS = int(sys.argv[2]), int(sys.argv[3])
CARD = ModelCard(
    framework="points", model_name="points", display_name="Points", description="Tells points.", family="points",
    task_types=[TaskType.IMAGE_CLASSIFICATION], params=1, input_size=32, recommended_batch_size=1, recommended_lr=0.1,
    hyperparameters_ref="none",
)  # fmt: skip
INSTANCE, BOOT = uuid4(), uuid4()

app = FastAPI()
held: list[HeldJob] = []


@app.get("/ready")
def ready() -> ServiceReady:
    return ServiceReady(
        instance_id=INSTANCE, boot_id=BOOT, framework="points", framework_version="1", slots=1, free_slots=1
    )


@app.get("/models/list")
def models() -> ModelList:
    schema: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False, "x-named-fields": {}}
    return ModelList(framework="points", framework_version="1", model_count=1, models=[CARD], schemas={"none": schema})


@app.get("/training/jobs")
def jobs() -> list[HeldJob]:
    return held


@app.post("/training/start", status_code=202)
def start(spec: dict[str, Any]) -> None:
    held.append(HeldJob(job_uid=spec["job_uid"], attempt=spec["attempt"], state="running"))


@app.delete("/training/jobs/{job_uid}", status_code=204)
def delete(job_uid: UUID) -> None:
    held[:] = [job for job in held if job.job_uid != job_uid]


@app.get("/training/jobs/{job_uid}/events")
def events(after: int) -> StreamingResponse:
    return StreamingResponse(iter(LINES[after:]), media_type="application/x-ndjson")


def make_lines() -> list[str]:
    """Make the events of a first attempt before the first request: the speed of this script is not measured."""
    bodies: list[EventBody] = [Started(resume_step=0, device="cpu", versions={}, num_classes=2)]
    bodies += [
        Metrics(step=step, epoch=1, values={f"points/{number}": step / 7 for number in range(POINTS)})
        for step in range(1, EVENTS + 1)
    ]
    bodies.append(Finished(values={}))
    return [
        JobEvent(seq=seq, attempt=1, time=datetime.now(UTC), body=body).to_line() + "\n"
        for seq, body in enumerate(bodies, start=1)
    ]


LINES = make_lines()

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
