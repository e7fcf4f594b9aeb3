"""The reasons that browsers, phones and SDKs give for failures, and which of them are one.

Every browser words the same refusal differently. Matching looks at the first part of a text only,
so that a hostile one costs no time.
"""

import re
from dataclasses import dataclass

_MAX_MATCHED = 1000
_MAX_SIGNATURE = 120

# Statuses that say less than a reason that is known.
VAGUE_STATUSES = frozenset({"TaskFailed", "RealtimeApiFailed", "SignalingRequestFailed", "Unknown"})


@dataclass(frozen=True, slots=True)
class Reason:
    signature: str
    pattern: re.Pattern[str]
    text: str
    """With {device} for the microphone or camera."""
    advice: str

    def label(self, device: str) -> str:
        text = self.text.format(device=device)
        return text[:1].upper() + text[1:]


def _reason(signature: str, pattern: str, text: str, advice: str) -> Reason:
    return Reason(signature, re.compile(pattern, re.IGNORECASE), text, advice)


# The first that matches counts: what is told by name before what is told by a word.
_REASONS = (
    _reason(
        "device blocked",
        r"NotAllowedError|permission ?(?:denied|dismissed)"
        r"|not allowed by the user agent|(?:audio|video)PermissionError|SecurityException"
        r"|missing necessary permissions",
        "{device} blocked by the browser or system",
        "Let the person allow it at the lock sign beside the address, then in the system's "
        "privacy settings, and join again.",
    ),
    _reason(
        "device in use",
        r"NotReadableError|TrackStartError|SourceUnavailableError"
        r"|could not start (?:audio|video) source|failed to allocate (?:audio|video) ?source"
        r"|concurrent mic process|device (?:is )?in use|in use by another|cameras?[_ ]in[_ ]use"
        r"|hardware error"
        r"|AbortError: starting (?:audio|video)input failed",
        "{device} in use by another program",
        "Let the person close other meetings and programs that use it, or unplug and replug it.",
    ),
    _reason(
        "device not found",
        r"NotFoundError|requested device not found|object can ?not be found here"
        r"|no (?:audio|video|camera)s? ?(?:input )?(?:devices?|available)",
        "no {device} found",
        "Let the person plug it in or switch it on, and choose it again. Some systems hide "
        "devices that are disabled in their settings.",
    ),
    _reason(
        "device unsuited",
        r"OverconstrainedError|ConstraintNotSatisfiedError|constraints? (?:could|can) ?not be"
        r"|invalid constraint",
        "{device} cannot do what the app asked for",
        "Often a device chosen earlier that is gone now, or a resolution it does not have. Let "
        "the person choose another one.",
    ),
    _reason(
        "page not allowed to use devices",
        r"SecurityError|only secure origins|mediaDevices|feature policy|permissions policy"
        r"|getUserMedia.{0,40}(?:undefined|not a func)",
        "the page may not use a {device}",
        "The page must be served by https, and a frame around it must allow camera and "
        "microphone. Pass this to the developers of the page.",
    ),
    _reason(
        "device gone",
        r"camera[_ ]disconnected|device (?:was )?(?:removed|disconnected|lost)|track ended"
        r"|media services were reset",
        "{device} was disconnected",
        "Let the person check the cable or the Bluetooth connection, and choose it again.",
    ),
    _reason(
        "device start interrupted",
        r"AbortError|InvalidStateError",
        "{device} could not be started",
        "Usually passing. Let the person choose it again, or reload the page.",
    ),
    _reason(
        "network unreachable",
        r"failed to fetch|NetworkError|network (?:is )?(?:unreachable|error|down|lost)|offline"
        r"|internet connection",
        "the network was not reachable",
        "Let the person check the connection; a cable or another network is the quickest test.",
    ),
    _reason(
        "device call refused",
        r"\bTypeError\b",
        "the app asked for the {device} in a wrong way",
        "A fault in the app: pass the technical text to its developers.",
    ),
    _reason(
        "meeting over",
        r"meeting (?:has |was |is )?(?:already )?(?:ended|over)|\bended or does not exist",
        "the meeting was already over",
        "Give the person the link to the current meeting, or start a new one.",
    ),
    _reason(
        "attendee never appeared",
        r"no ?attendee ?present|attendee presence",
        "the attendee never appeared in the meeting",
        "Media did not get through in time. Let the person try another network, and without VPN.",
    ),
    _reason(
        "network path not found",
        r"\bice\b.{0,40}(?:time|fail)|gathering.{0,20}time|no (?:ice|relay) candidate"
        r"|\bTURN (?:cred|server)",
        "no way through the network was found",
        "A VPN or firewall may block media. Let the person try another network, and without VPN.",
    ),
    _reason(
        "control connection failed",
        r"web ?socket|signaling.{0,40}(?:fail|clos|drop|error)",
        "the control connection failed",
        "Let the person try another network. On one network only, its firewall or proxy may "
        "block secure WebSockets.",
    ),
    _reason(
        "timed out",
        r"time[d ]?-? ?out",
        "it took too long",
        "The connection was too slow or blocked. Let the person try another network.",
    ),
)

_PARTS = (
    (re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>]+", re.IGNORECASE), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}"), "<address>"),
    (re.compile(r"\([0-9a-f]{4}:[0-9a-f]{4}\)", re.IGNORECASE), "<device>"),
    (re.compile(r"\"[^\"]{0,200}\"|'[^'\s][^']{0,200}'|“[^”]{0,200}”|«[^»]{0,200}»"), "<name>"),
    (re.compile(r"\b(?=[a-z0-9_+/=-]*[0-9])[a-z0-9_+/=-]{16,}", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?:0x)?(?=[0-9a-f]*[0-9])[0-9a-f]{8,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?\b"), "<address>"),
    (re.compile(r"[+-]?[0-9]+(?:[.,:][0-9]+)*"), "<n>"),
)


def match(reason: str) -> Reason | None:
    beginning = reason[:_MAX_MATCHED]
    return next((known for known in _REASONS if known.pattern.search(beginning)), None)


def signature(reason: str) -> str:
    """The known reason, else the text without what differs from case to case."""
    known = match(reason)
    if known:
        return known.signature
    text = reason[:_MAX_MATCHED]
    for pattern, placeholder in _PARTS:
        text = pattern.sub(placeholder, text)
    return " ".join(text.lower().split())[:_MAX_SIGNATURE].rstrip()
