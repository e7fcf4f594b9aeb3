"""Which network addresses are public: what our own HTTP client may be sent to by outsiders."""

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# `is_global` alone calls some of these global, depending on the version of Python.
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
]
# Only global unicast, and in it nothing that leads to an embedded IPv4 address or nowhere.
_PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
_NOT_PUBLIC_IPV6 = [
    ipaddress.ip_network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]


def is_public(address: Address) -> bool:
    """Whether an address lies on the public Internet."""
    if isinstance(address, ipaddress.IPv6Address):
        return (
            address in _PUBLIC_IPV6
            and not any(address in network for network in _NOT_PUBLIC_IPV6)
            and address.is_global
        )
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def resolve(host: str, port: int) -> list[Address]:
    """All addresses of a host, in the resolver's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    texts = dict.fromkeys(str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found)
    return [ipaddress.ip_address(text) for text in texts]
