"""Remote services by URL: the addresses of their host names, resolved periodically."""

import asyncio
import logging
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

import httpx

from vision_api.config import ConfigurationError
from vision_api.training_services.address import ServiceAddress

logger = logging.getLogger(__name__)

RESOLVE_EVERY_SECONDS = 5.0
RESOLVE_WITHIN_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """One entry of a variable such as `TIMM_SERVICE_URL`."""

    service: str
    url: httpx.URL

    @classmethod
    def parse(cls, service: str, text: str) -> Self:
        """Parse an entry; raises ConfigurationError that names the variable."""
        variable = f"{service.upper()}_SERVICE_URL"
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"{variable}: {text!r} is not a URL ({error}).") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigurationError(
                f"{variable}: {text!r} must begin with http:// or https://, such as http://{service}:8000."
            )
        return cls(service, url)

    @property
    def is_address(self) -> bool:
        """Return whether the host is an IP address, with no name to resolve."""
        try:
            ip_address(self.url.host)
        except ValueError:
            return False
        return True

    async def resolve(self) -> frozenset[str]:
        """Return every address of the host, IPv4 and IPv6. Raises OSError."""
        port = self.url.port or {"http": 80, "https": 443}[self.url.scheme]
        found = await asyncio.get_running_loop().getaddrinfo(self.url.host, port, type=socket.SOCK_STREAM)
        return frozenset(str(sockaddr[0]) for *_, sockaddr in found)

    def at(self, address: str, token: str) -> ServiceAddress:
        """Return one of the service's addresses, with its host name."""
        here = str(self.url.copy_with(host=address)).rstrip("/")
        return ServiceAddress(self.service, here, token, host=self.url.netloc.decode())


class RemoteServices:
    """The services of `TRAINING_EXECUTION_MODE=http`, which are started and stopped outside of the backend.

    A name that cannot be resolved for a while keeps its last addresses, which may still answer.
    """

    def __init__(self, service_urls: Mapping[str, Sequence[str]], token: str) -> None:
        self._token = token
        self._urls = [ServiceUrl.parse(name, text) for name, texts in service_urls.items() for text in texts]
        self._resolved: dict[ServiceUrl, frozenset[str]] = {}
        self.services = tuple(service_urls)
        self.is_ours = False

    @property
    def addresses(self) -> list[ServiceAddress]:
        """Return the addresses of instances, in a stable order."""
        found: list[ServiceAddress] = []
        for url in self._urls:
            if url.is_address:
                found.append(ServiceAddress(url.service, str(url.url).rstrip("/"), self._token))
            else:
                found += [url.at(address, self._token) for address in sorted(self._resolved.get(url, ()))]
        return found

    async def run(self) -> None:
        """Resolve every name periodically, until cancelled."""
        while True:
            await self.resolve()
            await asyncio.sleep(RESOLVE_EVERY_SECONDS)

    async def resolve(self) -> None:
        """Resolve every name once, all at the same time."""
        await asyncio.gather(*(self._resolve(url) for url in self._urls if not url.is_address))

    async def close(self) -> None:
        """Do nothing: the backend has started none of them."""

    def stop_waiting(self) -> None:
        """Do nothing: `close` does not wait."""

    async def _resolve(self, url: ServiceUrl) -> None:
        try:
            async with asyncio.timeout(RESOLVE_WITHIN_SECONDS):
                addresses = await url.resolve()
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            logger.debug("cannot resolve %s: %s", url.url.host, error or "too slow")
            return
        if addresses != self._resolved.get(url):
            logger.info("%s service: %s is at %s", url.service, url.url.host, ", ".join(sorted(addresses)))
            self._resolved[url] = addresses
