"""Networks of clients' addresses."""

import pytest

from vision_api.kit.networks import is_in, network_of, peer_of, read_networks


@pytest.mark.parametrize(
    ("address", "peer", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/64"),
        ("unknown", "unknown", "unknown"),
        ("", "", ""),
    ],
)
def test_addresses_of_one_client_have_one_name(address: str, peer: str, network: str) -> None:
    assert peer_of(address) == peer
    assert network_of(address) == network


def test_membership_in_networks() -> None:
    networks = read_networks(["10.0.0.0/8", "2001:db8::/32", "not a network", "192.0.2.7"])

    assert len(networks) == 3
    assert is_in("10.1.2.3", networks)
    assert is_in("::ffff:10.1.2.3", networks)
    assert is_in("2001:db8::1", networks)
    assert is_in("192.0.2.7", networks)
    assert not is_in("192.0.2.8", networks)
    assert not is_in("unknown", networks)
