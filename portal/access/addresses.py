"""Where a request comes from, as far as our own proxies can vouch for it."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The address of the client: an IP address, or "" where the server does not know it.

    Each of our TRUSTED_PROXIES adds one entry at the right of X-Forwarded-For. What stands further
    left was written by the client and proves nothing.
    """
    meta = request.META
    return address_behind(meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""))


def address_behind(peer: str, forwarded_for: str) -> str:
    """As client_address, of what a server without Django's requests knows."""
    peer = _address(peer)
    proxies = settings.TRUSTED_PROXIES
    if not proxies:
        return peer
    entries = forwarded_for.split(",")
    if len(entries) < proxies:
        return peer  # did not come through all of them
    return _address(entries[-proxies]) or peer


def network_of(address: str) -> str:
    """What failures are counted by. One IPv6 subscriber owns 2^64 addresses, hence the network."""
    if not address:
        return "unknown"
    ip = ipaddress.ip_address(address)
    if ip.version == 6:
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return address


@lru_cache(maxsize=4096)
def _address(text: str) -> str:
    """An IP address in one spelling, without port, brackets and zone; "" if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)
