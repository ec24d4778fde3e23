"""Environments of a service's processes: runners have the credentials of the storage, framework code has not."""

import os

from http_kit.children import (
    BASE,
    LIBRARIES,
    PROXIES,
    SAME_PYTHON,
    STORAGE,
    TRACING,
    ChildEnvironment,
    child_environment,
    with_values,
    without,
)
from trainer_kit.adapter import Adapter
from trainer_kit.settings import RunnerSettings


def framework_variables(adapter: Adapter) -> tuple[str, ...]:
    """Return what the framework's own variables begin with, and the further ones that its adapter names."""
    return (f"{adapter.framework.upper().replace('-', '_')}_*", *adapter.variables)


def runner_environment(settings: RunnerSettings) -> ChildEnvironment:
    """Return a runner's environment: its settings and its storage, and no secret of the service."""
    allowed = (*BASE, *SAME_PYTHON, *STORAGE, *PROXIES, *LIBRARIES, *TRACING, *settings.service_env_pass)
    return child_environment(os.environ, allowed, settings.environment() | {"PYTHONSAFEPATH": "1"})


def storage_environment(environment: ChildEnvironment) -> ChildEnvironment:
    """Return the variables of the storage and its credentials, which a runner has and a trainer must not have."""
    return child_environment(environment, STORAGE)


def trainer_environment(environment: ChildEnvironment) -> ChildEnvironment:
    """Return a runner's environment as its trainer gets it.

    The trainer's working directory must not become a place that modules are imported from. Threads that wait for each
    other sleep: by default they spin, and trainings that share their cores then slow each other down many times over.
    The C++ part of torch logs errors only: its other messages are for developers.
    """
    defaults = {"OMP_WAIT_POLICY": "PASSIVE", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    missing = {name: value for name, value in defaults.items() if name not in environment}
    forced = {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    return with_values(without(environment, STORAGE), missing | forced)
