"""The address of a training service."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """An address at which an instance of a service may answer.

    A host name stands for several instances, so that `url` holds an address that it was resolved to; `host` is then
    the name, which the peer's virtual hosts and its certificate know.
    """

    service: str
    url: str
    token: str = field(repr=False)
    host: str | None = None
