import pytest
from pytest_django import Settings

from portal.access.addresses import client_address, network_of
from tests.access.factories import make_request


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "", "198.51.100.7"),
        (0, "203.0.113.9", "198.51.100.7"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "6.6.6.6", "198.51.100.7"),
        (1, "", "198.51.100.7"),
        (1, "nonsense", "198.51.100.7"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "[2001:db8::1]:4711", "2001:db8::1"),
        (1, "2001:0DB8:0:0::1", "2001:db8::1"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "fe80::1%eth0", "fe80::1"),
    ],
)
def test_only_entries_that_our_proxies_wrote_count(
    settings: Settings, proxies: int, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = make_request(REMOTE_ADDR="198.51.100.7", HTTP_X_FORWARDED_FOR=forwarded)

    assert client_address(request) == expected


def test_a_server_on_a_unix_socket_knows_no_address() -> None:
    assert client_address(make_request(REMOTE_ADDR="")) == ""


def test_ipv6_addresses_of_one_subscriber_count_as_one_source() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9")
    assert network_of("2001:db8:1:2::1") != network_of("2001:db8:1:3::1")
    assert network_of("203.0.113.9") == "203.0.113.9"
    assert network_of("") == "unknown"
