"""Addresses of clients, and the networks that they belong to."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

IPV6_CUSTOMER_BITS = 64
"""A customer has at least a network of this length: its addresses are one client."""


def read_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return those of `texts` that are an address or a network."""
    found: list[Network] = []
    for text in texts:
        with suppress(ValueError):
            found.append(ip_network(text, strict=False))
    return tuple(found)


def is_in(address: str, networks: Sequence[Network]) -> bool:
    """Return whether a client's address belongs to one of `networks`."""
    plain = _plain(address)
    if plain is None:
        return False
    return any(plain in network for network in networks if network.version == plain.version)


def peer_of(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 of an IPv6 one."""
    return network_of(address, ipv4_bits=32)


def network_of(address: str, *, ipv4_bits: int = 24, ipv6_bits: int = IPV6_CUSTOMER_BITS) -> str:
    """Return the network of a client, as text. What is no address, such as a socket's name, is its own."""
    plain = _plain(address)
    if plain is None:
        return address
    bits = ipv4_bits if plain.version == 4 else ipv6_bits
    return str(ip_network(f"{plain}/{bits}", strict=False))


def _plain(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address; an IPv4 one as itself, though a socket of both protocols reports `::ffff:10.0.0.1`."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed
