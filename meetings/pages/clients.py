"""SDKs, browsers and systems as people say them."""

from meetings import vocabulary
from meetings.models import Client

_UNKNOWN = "not told"


def sdk(name: str, version: str = "") -> str:
    """JavaScript 3.20.0; an SDK we do not know keeps its own name."""
    platform = vocabulary.platform_of(name)
    label = name if platform == "Other" else platform
    return f"{label or 'SDK ' + _UNKNOWN} {version}".strip()


def browser(name: str, major: str = "") -> str:
    return f"{name or 'Browser ' + _UNKNOWN} {major}".strip()


def system(name: str, version: str = "") -> str:
    return f"{name or 'System ' + _UNKNOWN} {version}".strip()


def sdk_of(client: Client | None) -> str:
    return sdk(client.sdk_name, client.sdk_version) if client and client.sdk_name else ""


def browser_of(client: Client | None) -> str:
    return client.browser if client else ""


def system_of(client: Client | None) -> str:
    return client.system if client else ""


def in_short(client: Client | None) -> str:
    """Everything known of a client on one line."""
    if client is None:
        return ""
    parts = (sdk_of(client), browser_of(client), system_of(client), client.device_name)
    known = [part for part in parts if part and part.lower() not in {"unavailable", "unknown"}]
    return " · ".join(known)
