"""One full example of every wire model; `golden/<name>.json` is what it must look like on the wire."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel

from vision_contracts import (
    Artifact,
    ArtifactKind,
    BatchTime,
    Cancelled,
    Checkpoint,
    CheckpointRef,
    ClassEvaluation,
    ConfusionMatrix,
    Curve,
    DatasetFormat,
    DatasetRef,
    DeviceInfo,
    EndReason,
    EvaluateOperation,
    EvaluationReport,
    EventBody,
    ExportFormat,
    ExportOperation,
    Failed,
    FieldProblem,
    Finished,
    FoundKeypoint,
    FoundObject,
    HeldJob,
    ImageError,
    ImagePrediction,
    ImageRef,
    JobEvent,
    JobKind,
    JobSpec,
    Label,
    Log,
    LogLevel,
    Mask,
    Metrics,
    ModelCard,
    ModelList,
    ModelSpeed,
    Paused,
    PredictionReport,
    PredictOperation,
    PreflightOperation,
    Problem,
    Progress,
    Region,
    ServiceReady,
    SplitEvaluation,
    Started,
    StopRequest,
    StoredState,
    TaskType,
    TrainingParams,
)

JOB_UID = UUID("7b0f9a5e-58a1-4a0e-9d5c-0a3a52f0b9a1")
TIME = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
OUTPUT = f"s3://bucket/prefix/jobs/{JOB_UID}/attempts/2"

SPEC = JobSpec(
    job_uid=JOB_UID,
    attempt=2,
    framework="timm",
    model_name="resnet18",
    task_type=TaskType.IMAGE_CLASSIFICATION,
    dataset=DatasetRef(uri="s3://bucket/prefix/datasets/a.zip", format=DatasetFormat.IMAGEFOLDER, digest=SHA256),
    output_uri=OUTPUT,
    resume_from_uri=f"{OUTPUT}/checkpoints/00000040-last.pt",
    best_checkpoint_uri=f"{OUTPUT}/checkpoints/00000020-last.pt",
    initial_weights=CheckpointRef(uri="s3://bucket/prefix/other.pt", sha256=SHA256),
    params=TrainingParams(
        epochs=3, batch_size=16, learning_rate=0.001, optimizer="adamw", device="cuda:1", num_devices=1, seed=7
    ),
    hyperparameters={"image_size": 128, "mixup": None},
    timeout_seconds=3600,
    request_id="01J",
)

CARD = ModelCard(
    framework="timm",
    model_name="hub/resnet18.a1_in1k",
    display_name="ResNet-18",
    description="A residual network.",
    task_types=[TaskType.IMAGE_CLASSIFICATION],
    family="resnet",
    params=11_689_512,
    gmacs=1.8,
    input_size=224,
    pretrained_available=True,
    pretrained_tags=["a1_in1k"],
    license="apache-2.0",
    recommended_batch_size=32,
    recommended_lr=0.0005,
    tags=["cnn"],
    priority=0,
    hyperparameters_ref="base",
)

REPORT = EvaluationReport(
    framework="timm",
    model_name="resnet18",
    task_type=TaskType.IMAGE_CLASSIFICATION,
    primary_metric="val/accuracy",
    epoch=2,
    splits={
        "val": SplitEvaluation(
            images=2,
            values={"accuracy": 0.5, "top5_accuracy": None},
            classes=[ClassEvaluation(name="cat", support=2, values={"precision": 1.0, "recall": 0.5})],
            confusion=ConfusionMatrix(labels=["cat", "dog"], counts=[[1, 1], [0, 0]]),
            curves=[Curve(name="calibration", x=[0.8], y=[0.5], counts=[2])],
        )
    },
    speed=ModelSpeed(
        device="cuda:0",
        device_name="A GPU",
        precision="float32",
        image_size=224,
        parameters=11_689_512,
        batches=[BatchTime(batch_size=1, batch_seconds=0.004, images_per_second=250.0)],
    ),
)

WORK = PredictOperation(images=[ImageRef(name="cat.jpg", uri=f"{OUTPUT}/inputs/0")], threshold=0.5, top_k=3)

PREDICTIONS = PredictionReport(
    task_type=TaskType.INSTANCE_SEGMENTATION,
    class_names=["cat"],
    threshold=0.5,
    images=[
        ImagePrediction(
            name="cat.jpg",
            width=2,
            height=1,
            labels=[Label(class_id=0, label="cat", score=0.9)],
            objects=[
                FoundObject(
                    class_id=0,
                    label="cat",
                    score=0.9,
                    box=(0, 0, 1, 1),
                    mask=Mask(size=(1, 2), counts="011"),
                    keypoints=[FoundKeypoint(x=0.5, y=0.5, score=1)],
                    corners=[0, 0, 1, 0, 1, 1, 0, 1],
                )
            ],
            regions=[Region(class_id=0, label="cat", share=0.5, mask=Mask(size=(1, 2), counts="011"))],
            drawing="drawings/0.png",
        ),
        ImagePrediction(name="x", error=ImageError(code="image_broken", message="It cannot be decoded.")),
    ],
)

MODELS: dict[str, BaseModel] = {
    "export_operation": ExportOperation(
        format=ExportFormat.ONNX, name="a", metrics={"accuracy": 0.5}, dataset_name="b"
    ),
    "evaluate_operation": EvaluateOperation(split="test"),
    "predict_operation": WORK,
    "prediction_report": PREDICTIONS,
    "preflight_operation": PreflightOperation(steps=3),
    "work_spec": SPEC.model_copy(update={"kind": JobKind.PREDICT, "work": WORK}),
    "evaluation_report": REPORT,
    "job_spec": SPEC,
    "model_list": ModelList(
        framework="timm",
        framework_version="1.0.31",
        model_count=1,
        models=[CARD],
        schemas={
            "base": {
                "type": "object",
                "properties": {},
                "additionalProperties": False,
                "x-named-fields": {"epochs": {"default": 10}, "batch_size": {"default": 1}},
            }
        },
    ),
    "service_ready": ServiceReady(
        instance_id=JOB_UID,
        boot_id=JOB_UID,
        framework="timm",
        framework_version="1.0.31",
        slots=2,
        free_slots=1,
        devices=[DeviceInfo(name="cuda:0", description="A GPU", memory_bytes=2**30), DeviceInfo(name="cpu")],
        draining=True,
    ),
    "held_job": HeldJob(job_uid=JOB_UID, attempt=2, state="ended", last_seq=9, ended_as="finished"),
    "stop_request": StopRequest(attempt=2, mode="pause", grace_seconds=2.5),
    "problem": Problem(
        title="Unprocessable Content",
        status=422,
        detail="A field is not valid.",
        code="hyperparameters_invalid",
        errors=[FieldProblem(field="hyperparameters.lr0", code="extra_forbidden", message="No such field.")],
    ),
}

BODIES: dict[str, EventBody] = {
    "started": Started(resume_step=40, device="cuda:1", versions={"torch": "2.15"}, num_classes=3),
    "progress": Progress(epoch=1, epochs=3, step=60, steps=120, eta_seconds=12.5),
    "metrics": Metrics(step=60, epoch=1, values={"train/loss": 0.25, "val/loss": None}),
    "log": Log(level=LogLevel.WARNING, message="Größe\nzwei"),
    "checkpoint": Checkpoint(
        name="checkpoints/last.pt",
        uri=f"{OUTPUT}/checkpoints/00000060-last.pt",
        step=60,
        epoch=1,
        is_best=True,
        sha256=SHA256,
        size_bytes=4,
        state=StoredState(uri=f"{OUTPUT}/checkpoints/00000060-last.state", sha256=SHA256, size_bytes=9),
        values={"val/accuracy": 0.5},
    ),
    "artifact": Artifact(
        name="plots/confusion.png",
        kind=ArtifactKind.PLOT,
        uri=f"{OUTPUT}/plots/confusion.png",
        size_bytes=4,
        sha256=SHA256,
        content_type="image/png",
        step=60,
    ),
    "finished": Finished(values={"val/accuracy": 0.5}),
    "failed": Failed(reason=EndReason.OUT_OF_MEMORY, message="Retry with 8.", proposed_changes={"batch_size": 8}),
    "cancelled": Cancelled(reason=EndReason.TIMED_OUT),
    "paused": Paused(),
}

EVENTS = {
    f"event_{name}": JobEvent(seq=seq, attempt=2, time=TIME, body=body)
    for seq, (name, body) in enumerate(BODIES.items(), start=1)
}
