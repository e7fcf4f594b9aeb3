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


def cell(client: Client | None) -> SafeString:
    """For tables: browser and system, beneath them the SDK; no longer than honest ones are."""
    if client is None:
        return _EMPTY
    place = " · ".join(filter(None, [browser_of(client), system_of(client)]))
    name = vocabulary.platform_of(client.sdk_name) if client.sdk_name else ""
    kind = client.sdk_name if name == "Other" else f"{name} SDK" if name else ""
    built = f"{kind} {client.sdk_version}".strip()
    if not place and not built:
        return _EMPTY
    first = format_html('<span class="client" title="{0}">{0}</span>', place) if place else ""
    second = format_html('<small class="client" title="{0}">{0}</small>', built) if built else ""
    return format_html("{}{}", first, second)


_EMPTY = format_html("{}", figures.NOTHING)
