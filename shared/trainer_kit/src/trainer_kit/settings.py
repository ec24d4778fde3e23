"""Settings of a training service and its runners, read from the environment: see docs/configuration.md."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from data_kit import DiskReserve
from http_kit.children import wrong_patterns

MIN_SECRET_LENGTH = 32
MIN_METRICS_TOKEN_LENGTH = 12


class RunnerSettings(BaseSettings):
    """Settings of a runner."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True)

    data_dir: Path = Path("data")
    storage_url: str = ""
    dataset_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    dataset_cache_bytes: int = Field(default=20 * 2**30, ge=0)
    log_format: Literal["text", "json"] = "text"
    service_env_pass: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Further variables for runners and trainers: names, or prefixes with `*`."
    )

    @field_validator("dataset_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: Any) -> Any:
        return tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("service_env_pass", mode="before")
    @classmethod
    def _split_names(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("service_env_pass")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := wrong_patterns(names):
            raise ValueError(f"may hold names of variables, and prefixes with `*` at their end; not {wrong[0]}")
        return names

    @field_validator("data_dir")
    @classmethod
    def _make_absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @model_validator(mode="after")
    def _choose_storage(self) -> Self:
        if not self.storage_url:
            object.__setattr__(self, "storage_url", (self.data_dir / "storage").as_uri())
        return self

    @property
    def dataset_cache_dir(self) -> Path:
        return self.data_dir / "datasets"

    def environment(self) -> dict[str, str]:
        """Return the variables that give a child process the same settings."""
        return {
            "DATA_DIR": str(self.data_dir),
            "STORAGE_URL": self.storage_url,
            "DATASET_ROOTS": os.pathsep.join(map(str, self.dataset_roots)),
            "DATASET_CACHE_BYTES": str(self.dataset_cache_bytes),
            "LOG_FORMAT": self.log_format,
            "SERVICE_ENV_PASS": ",".join(self.service_env_pass),
        }


class ServiceSettings(RunnerSettings):
    """Settings of the HTTP process."""

    host: str = Field(default="", description="Empty or `::` listens on IPv4 and IPv6.")
    port: int = Field(default=8000, ge=0, le=65535)
    service_token: SecretStr
    metrics_token: SecretStr | None = Field(default=None, description="Of /metrics; default: the service's token.")
    slots: int | None = Field(default=None, ge=1, le=1024, description="Default: one per GPU, else one.")
    disk_reserve_bytes: int | None = Field(
        default=None, ge=0, description="Default: 1 GiB, or a twentieth of a small disk. 0: none."
    )
    trainer_launcher: Literal["process", "container"] = "process"
    trainer_image: str = Field(default="", description="Of a job's container; default: this service's own.")
    trainer_volumes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Default: this service's own."
    )
    trainer_network: str = ""
    trainer_cpus: float = Field(default=0.0, ge=0, description="Of each job's container. 0: all.")
    trainer_memory_bytes: int = Field(default=0, ge=0, description="0: all.")
    trainer_shm_bytes: int = Field(default=2**30, ge=2**20)
    environment_name: Literal["development", "production"] = Field(default="development", alias="ENVIRONMENT")
    warm_idle_seconds: float = Field(default=1800.0, ge=0, description="0: keep no process warm.")
    stop_grace_seconds: float = Field(default=10.0, ge=0, le=600)
    parent_pipe_fd: int | None = None

    @field_validator("trainer_volumes", mode="before")
    @classmethod
    def _split_volumes(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _refuse_a_weak_token(self) -> Self:
        tokens = {"SERVICE_TOKEN": (self.service_token, MIN_SECRET_LENGTH)}
        if self.metrics_token is not None:
            tokens["METRICS_TOKEN"] = (self.metrics_token, MIN_METRICS_TOKEN_LENGTH)
        for name, (token, shortest) in tokens.items():
            if self.environment_name == "production" and len(token.get_secret_value()) < shortest:
                raise ValueError(f"{name} needs at least {shortest} characters in production")
        return self

    def disks(self) -> list[DiskReserve]:
        """Return the disks that attempts fill: that of DATA_DIR, and that of a storage on this machine."""
        storage = urlsplit(self.storage_url)
        folders = [self.data_dir, *([Path(unquote(storage.path))] if storage.scheme == "file" else [])]
        return [DiskReserve(folder, self.disk_reserve_bytes) for folder in folders]
