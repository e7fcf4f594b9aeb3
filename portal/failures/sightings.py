"""What apps report: one thing that went wrong, for one person, at one moment."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from uuid import UUID

# PostgreSQL cannot store NUL, nor UTF-8 hold half a surrogate pair; both arrive in JSON.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_MAX_TAGS = 24


@dataclass(frozen=True, slots=True)
class Sighting:
    """``key`` is the occurrence's natural key within its kind: reporting it again is harmless.

    ``fingerprint`` says what belongs together: sightings of one kind with the same
    fingerprint make one failure. ``person`` is a stable id (empty if nobody is known), ``url``
    a path of this portal.
    """

    kind: str
    title: str
    reason: str
    key: str
    happened_at: datetime
    person: str
    version: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    detail: str = ""
    fingerprint: tuple[str, ...] = ()

    @property
    def group(self) -> UUID:
        """Names the failure. Without a fingerprint the title alone decides."""
        return _group(self.kind, *(self.fingerprint or (self.title,)))

    @property
    def occurrence(self) -> UUID:
        return _digest(self.kind, self.key)

    def storable(self) -> "Sighting":
        """The same, with texts as the columns hold them: cut, and free of what breaks them."""
        return Sighting(
            kind=self.kind,
            title=fit(self.title, 200) or "Something failed",
            reason=fit(self.reason, 500),
            key=self.key,
            happened_at=self.happened_at,
            person=fit(self.person, 200),
            version=fit(self.version, 64),
            tags={
                fit(name, 64): fit(str(value), 200)
                for name, value in sorted(self.tags.items())[:_MAX_TAGS]
                if value not in ("", None)
            },
            url=_own_path(self.url),
            detail=fit(self.detail, 4000),
            fingerprint=self.fingerprint,
        )


def _digest(*parts: str) -> UUID:
    text = json.dumps(parts).encode()
    return UUID(bytes=hashlib.blake2b(text, digest_size=16).digest())


@lru_cache(maxsize=1024)
def _group(*parts: str) -> UUID:
    return _digest(*parts)


def fit(text: str, length: int) -> str:
    if not text.isprintable():
        text = _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    text = text.strip()
    return text if len(text) <= length else text[: length - 1] + "…"


def _own_path(url: str) -> str:
    """Only paths of this portal become links; anything else is dropped."""
    if not url.startswith("/") or url.startswith(("//", "/\\")) or len(url) > 1000:
        return ""
    return "" if _UNSTORABLE.search(url) else url
