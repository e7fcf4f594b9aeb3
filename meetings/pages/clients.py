"""SDKs, browsers and systems as people say them."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from meetings import vocabulary
from meetings.models import Client
from portal import figures

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


_NOT_TOLD = frozenset({"", "unavailable", "unknown"})  # what SDKs write where they do not know


def known(text: str) -> str:
    return "" if text.lower() in _NOT_TOLD else text


def sdk_of(client: Client | None) -> str:
    return sdk(client.sdk_name, client.sdk_version) if client and client.sdk_name else ""


def browser_of(client: Client | None) -> str:
    return client.browser if client else ""


def system_of(client: Client | None) -> str:
    return f"{known(client.os_name)} {known(client.os_version)}".strip() if client else ""


def in_short(client: Client | None) -> str:
    """Everything known of a client on one line."""
    if client is None:
        return ""
    parts = (sdk_of(client), browser_of(client), system_of(client), known(client.device_name))
    return " · ".join(part for part in parts if part)


def cell(text: str) -> SafeString:
    """For tables: on one line, cut where it is longer than any honest client's."""
    return format_html('<span class="client" title="{}">{}</span>', text, text) if text else _EMPTY


_EMPTY = format_html("{}", figures.NOTHING)
