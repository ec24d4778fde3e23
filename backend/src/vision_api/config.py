"""Settings of the backend, read from the environment once and checked before anything starts."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    EmailStr,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from http_kit.children import wrong_patterns

SERVICE_URL_VARIABLE = re.compile(r"^(?!RAILWAY_)([A-Z0-9]+)_SERVICE_URL$")
LOCAL_ORIGINS = ("http://localhost:3000", "http://127.0.0.1:3000")
SHORTEST_SECRET = 32
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD_BYTES = 72
WELL_KNOWN_SECRETS = ("change", "secret", "default", "password", "example", "insecure")


class ConfigurationError(Exception):
    """The environment does not describe a backend that may start. The message names each variable."""


def _split(separator: str) -> Callable[[Any], Any]:
    """Return a validator that reads `a,b` as well as a list."""

    def split(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(part.strip() for part in value.split(separator) if part.strip())

    return split


def service_urls_from(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return framework → addresses, from every variable such as `TIMM_SERVICE_URL=http://a:8001,http://b:8001`."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in sorted(environ.items()):
        matched = SERVICE_URL_VARIABLE.match(name)
        if matched and value.strip():
            found[matched[1].lower()] = tuple(url.strip().rstrip("/") for url in value.split(",") if url.strip())
    return found


def _railway_url() -> str:
    """Return the public address that Railway gives a service."""
    domain = os.environ.get("RAILWAY_PUBLIC_DOMAIN", "")
    return f"https://{domain}" if domain else ""


class Settings(BaseSettings):
    """Settings of the backend. Their names are those of the environment variables, in lower case.

    The groups are those of docs/configuration.md.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, validate_default=True)

    # Process
    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    data_dir: Path = Path("data")
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Database
    database_url: str = Field(default="", repr=False, description="Default: a SQLite file in `data_dir`.")
    database_pool_size: int = Field(default=10, ge=1, le=500)
    database_max_overflow: int = Field(default=10, ge=0, le=500)
    database_pool_timeout_seconds: float = Field(default=5.0, gt=0)
    database_wait_seconds: float = Field(default=30.0, ge=0, description="At the start, for a PostgreSQL.")

    # Training
    training_execution_mode: Literal["subprocess", "http"] = "subprocess"
    service_urls: dict[str, tuple[str, ...]] = Field(default_factory=lambda: service_urls_from(os.environ))
    service_token: SecretStr | None = None
    services_dir: Path | None = Field(default=None, description="Default: `services` of the checkout.")
    samples_dir: Path | None = Field(default=None, description="Default: `samples` of the checkout.")
    max_running_jobs_per_user: int = Field(default=0, ge=0, description="0: no limit.")
    stop_grace_seconds: float = Field(default=10.0, ge=0, le=600)
    job_events_kept: int = Field(default=10_000, ge=100, le=10_000_000)
    job_events_kept_days: int = Field(default=30, ge=0, le=36_500, description="0: for ever.")
    training_state_kept_days: int = Field(
        default=30, ge=0, le=36_500, description="0: for ever. Then an ended job keeps its weights alone."
    )
    job_log_lines_kept: int = Field(default=100_000, ge=100, le=10_000_000)

    # Training services
    trainer_launcher: Literal["process", "container", "ray"] = "process"
    slots: int | None = Field(default=None, ge=1, le=1024, description="Default: each service decides.")
    dataset_cache_bytes: int = Field(default=20 * 1024**3, ge=0)
    service_env_pass: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Further variables for local services: names, or prefixes with `*`."
    )

    # Storage and data sets (their defaults depend on the settings above)
    storage_url: str = Field(default="", description="Default: `storage` in `data_dir`.")
    dataset_roots: Annotated[tuple[Path, ...], NoDecode] = Field(
        default=(), description="Default: `datasets` in `data_dir`. Locally the bundled samples are always one too."
    )
    import_prefixes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Where data sets may be imported from beside `dataset_roots`: `s3://bucket/prefix`, …"
    )

    disk_reserve_bytes: int | None = Field(
        default=None,
        ge=0,
        description="Kept on each disk for what already runs. Default: 1 GiB, or a twentieth of a small disk; 0: none.",
    )

    # Accounts
    jwt_secret: SecretStr | None = None
    access_token_seconds: int = Field(default=3600, ge=1)
    refresh_token_seconds: int = Field(default=30 * 24 * 3600, ge=1)
    admin_email: Annotated[EmailStr, AfterValidator(str.lower)] = "admin@example.com"
    admin_password: SecretStr | None = None
    registration: Literal["open", "closed"] = Field(
        default_factory=lambda known: "closed" if known.get("environment") == "production" else "open"
    )

    # HTTP
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default_factory=lambda known: () if known.get("environment") == "production" else LOCAL_ORIGINS
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    public_url: str = Field(
        default_factory=_railway_url,
        pattern=r"^(https://[^/\s?#@]+)?$",
        description="Where browsers reach this backend, without a path. Redirects lead there.",
    )
    https_redirect: bool = Field(
        default=False, description="HTTP → HTTPS, by the scheme that the proxy in front reports; needs `public_url`."
    )
    hsts_seconds: int = Field(default=0, ge=0, le=2 * 365 * 24 * 3600, description="0: no header.")
    metrics_token: SecretStr | None = None
    max_body_bytes: int = Field(default=256 * 1024, ge=1024, description="Of every body that is not an upload.")
    max_connections: int = Field(default=4096, ge=16, le=60_000, description="Open connections in all.")
    max_connections_per_client: int = Field(
        default=256, ge=8, le=60_000, description="Of one address (of an IPv6 /64); a trusted proxy has no limit."
    )
    max_upload_bytes: int = Field(default=20 * 1024**3, ge=1024)

    # Hub
    hub_url: str = Field(default="https://huggingface.co", pattern=r"^https?://[^/\s]+$")
    hub_token: SecretStr | None = Field(
        default=None, description="May write in `hub_namespace`. Without it nothing is pushed."
    )
    hub_namespace: str = Field(default="", pattern=r"^[\w.-]*$", description="Account or organisation at the hub.")

    _commas = field_validator("cors_origins", "trusted_proxies", "import_prefixes", "service_env_pass", mode="before")(
        _split(",")
    )
    _paths = field_validator("dataset_roots", mode="before")(_split(os.pathsep))

    @property
    def is_production(self) -> bool:
        """Return whether the settings are those of a deployment, which needs strong secrets."""
        return self.environment == "production"

    @property
    def is_sqlite(self) -> bool:
        """Return whether the database is a file, which one process uses alone."""
        return self.database_url.startswith("sqlite")

    @field_validator("data_dir", mode="after")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        return path.expanduser().absolute()

    @field_validator("database_url", mode="after")
    @classmethod
    def _default_database(cls, url: str, known: ValidationInfo) -> str:
        return url or f"sqlite+aiosqlite:///{known.data['data_dir']}/platform.db"

    @field_validator("storage_url", mode="after")
    @classmethod
    def _default_storage(cls, url: str, known: ValidationInfo) -> str:
        return url or (known.data["data_dir"] / "storage").as_uri()

    @field_validator("dataset_roots", mode="after")
    @classmethod
    def _default_roots(cls, roots: tuple[Path, ...], known: ValidationInfo) -> tuple[Path, ...]:
        data_dir: Path = known.data["data_dir"]
        found = tuple(root.expanduser().absolute() for root in roots) or (data_dir / "datasets",)
        samples = data_dir / "samples"
        is_local = known.data.get("training_execution_mode") == "subprocess"
        return (*found, samples) if is_local and samples not in found else found

    @field_validator("service_env_pass", mode="after")
    @classmethod
    def _names_of_variables(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := wrong_patterns(names):
            raise ValueError(f"may hold names of variables, and prefixes with `*` at their end; not {wrong[0]}")
        return names

    @field_validator("import_prefixes", mode="after")
    @classmethod
    def _object_stores(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.match(r"(s3|gs|az)://[^/]", prefix) for prefix in prefixes):
            raise ValueError("may hold addresses like s3://bucket/prefix only; folders belong to DATASET_ROOTS")
        return tuple(prefix.rstrip("/") for prefix in prefixes)

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _not_everybody(cls, proxies: tuple[str, ...], known: ValidationInfo) -> tuple[str, ...]:
        if "*" in proxies and known.data.get("environment") == "production":
            raise ValueError("may not be * in production: every client could then choose its own address")
        return proxies

    @field_validator("admin_password", mode="after")
    @classmethod
    def _fits_bcrypt(cls, password: SecretStr | None) -> SecretStr | None:
        if password is not None and len(password.get_secret_value().encode()) > LONGEST_PASSWORD_BYTES:
            raise ValueError(f"may have at most {LONGEST_PASSWORD_BYTES} bytes")
        return password

    @model_validator(mode="after")
    def _redirect_has_host(self) -> Self:
        if self.https_redirect and not self.public_url:
            raise ValueError("HTTPS_REDIRECT needs PUBLIC_URL, such as https://api.example.com: where it redirects to")
        return self

    @model_validator(mode="after")
    def _token_has_namespace(self) -> Self:
        if (self.hub_token is None) == bool(self.hub_namespace):
            raise ValueError("HUB_TOKEN and HUB_NAMESPACE belong together: set both or none")
        return self

    @model_validator(mode="after")
    def _refuse_weak_secrets(self) -> Self:
        if not self.is_production:
            return self
        secrets = {"JWT_SECRET": (self.jwt_secret, SHORTEST_SECRET)}
        if self.training_execution_mode == "http":
            secrets["SERVICE_TOKEN"] = (self.service_token, SHORTEST_SECRET)
        if self.metrics_token is not None:
            secrets["METRICS_TOKEN"] = (self.metrics_token, SHORTEST_PASSWORD)
        if self.admin_password is not None:
            secrets["ADMIN_PASSWORD"] = (self.admin_password, SHORTEST_PASSWORD)
        problems = [f"{name} {problem}" for name, secret in secrets.items() if (problem := _weakness(*secret))]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _weakness(secret: SecretStr | None, shortest: int) -> str | None:
    """Return why a secret is unfit for production, or None."""
    if secret is None:
        return "must be set in production"
    value = secret.get_secret_value()
    if len(value) < shortest:
        return f"is too short for production: use at least {shortest} characters (openssl rand -hex 32)"
    if len(set(value)) < 8 or any(word in value.lower() for word in WELL_KNOWN_SECRETS):
        return "looks like a default: use a random one (openssl rand -hex 32)"
    return None


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process. Raises ConfigurationError with one line for each wrong variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            ": ".join(filter(None, (".".join(str(part) for part in problem["loc"]).upper(), problem["msg"])))
            for problem in error.errors()
            if problem["type"] != "default_factory_not_called"  # a consequence of another error
        ]
        raise ConfigurationError("\n".join(lines)) from None
