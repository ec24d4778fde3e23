"""Errors between the backend and a training service.

ServiceError
├── ServiceUnavailable      no answer, or none that is valid: retry later
│   └── ServiceSilent       connected, but did not answer in time
└── ServiceRejected         refused, with a problem
"""

from vision_contracts import Problem


class ServiceError(Exception):
    """Base class of all errors of a call to a training service."""


class ServiceUnavailable(ServiceError):
    """The service cannot be used now. Nothing is known about whether it took the request."""


class ServiceSilent(ServiceUnavailable):
    """The service took too long. It may be busy rather than gone."""


class ServiceRejected(ServiceError):
    """The service refused the request; repeating it changes nothing until the request does."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem

    @property
    def status(self) -> int:
        """The HTTP status, 4xx."""
        return self.problem.status

    @property
    def code(self) -> str:
        """Stable code, such as `no_free_slot`."""
        return self.problem.code
