"""One ORM model a file. Importing this package makes every table known to `Base.metadata`."""

from vision_api.models.artifact import Artifact
from vision_api.models.auth_session import AuthSession
from vision_api.models.catalog_snapshot import CatalogSnapshot
from vision_api.models.dataset import Dataset
from vision_api.models.dataset_version import DatasetStatus, DatasetVersion
from vision_api.models.garbage_object import GarbageObject
from vision_api.models.idempotency_record import IdempotencyRecord
from vision_api.models.job_event import JobEvent
from vision_api.models.log_line import LogLine
from vision_api.models.metric_point import MetricPoint
from vision_api.models.model_push import ModelPush, PushStatus
from vision_api.models.model_version import ModelStage, ModelVersion
from vision_api.models.project import Project
from vision_api.models.project_member import ProjectMember, ProjectRole
from vision_api.models.refresh_token import RefreshToken
from vision_api.models.registered_model import RegisteredModel
from vision_api.models.resumable_upload import ResumableUpload
from vision_api.models.sign_in_network import SignInNetwork
from vision_api.models.stream_ticket import StreamTicket
from vision_api.models.throttle_count import ThrottleCount
from vision_api.models.training_job import JobStatus, TrainingJob
from vision_api.models.user import User, UserRole

__all__ = [
    "Artifact",
    "AuthSession",
    "CatalogSnapshot",
    "Dataset",
    "DatasetStatus",
    "DatasetVersion",
    "GarbageObject",
    "IdempotencyRecord",
    "JobEvent",
    "JobStatus",
    "LogLine",
    "MetricPoint",
    "ModelPush",
    "ModelStage",
    "ModelVersion",
    "Project",
    "ProjectMember",
    "ProjectRole",
    "PushStatus",
    "RefreshToken",
    "RegisteredModel",
    "ResumableUpload",
    "SignInNetwork",
    "StreamTicket",
    "ThrottleCount",
    "TrainingJob",
    "User",
    "UserRole",
]
