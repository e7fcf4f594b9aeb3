"""Bodies that no honest client sends, for every door. `EMPTY` ones hold nothing to be kept."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

from tests.inbox.sending import array, event, log_batch, record

_NOW = 1_795_252_656_926
EMPTY = {
    b"[]",
    b" [ ] ",
    b'{"metadata":{"meetingId":"m","attendeeId":"a"},"events":[]}',
    b'{"appName":"x","meetingId":"m","attendeeId":"a","logs":[]}',
    b'{"metadata":{"meetingId":"m","attendeeId":"a"},"events":[{"type":"Meet","v":1,"payloads":[]}]}',
}

# Values that break naive code wherever they stand. Some are no JSON at all.
_VALUES = [
    *("null", "true", "false", "0", "-1", '""', '" "', "[]", "{}", "[[]]", "[{}]", '{"a":{}}'),
    *("1e400", "-1e400", "1e-400", "9223372036854775808", "-9223372036854775809", "1e18"),
    *("253402300800000", "-62135596800001", "1.5", "1.795252656926E12", '"1795252656926"'),
    *('"abc"', '"NaN"', '"Infinity"', "NaN", "Infinity", "-Infinity", "0x10", "01", "+1", "1."),
    *('"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"'),
    *('"\\u202e\\u200b\\ufeff"', '"<script>alert(1)</script>"', '"{{7*7}}"', '"${jndi:x}"'),
    *('"\'; DROP TABLE meetings_meeting; --"', '"../../etc/passwd"', '"\\r\\nSet-Cookie: a=b"'),
    '"' + "x" * 70_000 + '"',
    '"' + "é" * 300 + '"',
    "9" * 5000,
    "[" * 40 + "]" * 40,
    '{"a":' * 40 + "1" + "}" * 40,
]

_WHOLE = [
    b"",
    b" ",
    b"\n",
    b"\x00",
    b"\xff\xfe[\x00]\x00",
    b"\xef\xbb\xbf[]",
    b"\xc3\x28",
    b"[\xed\xa0\x80]",
    b"[",
    b"[}",
    b"{",
    b'{"a"',
    b"null",
    b"true",
    b"1",
    b'"text"',
    b"[]",
    b" [ ] ",
    b"[][]",
    b"[],",
    b"[null]",
    b"[1]",
    b"[[]]",
    b"[[[]]]",
    b"{}",
    b"[{}]",
    b'{"events":null}',
    b'{"events":{}}',
    b'{"events":[null]}',
    b'{"events":[[]]}',
    b'{"events":[{"payloads":null}]}',
    b'{"events":[{"payloads":[null,1,"a",[],{}]}]}',
    b'{"metadata":[],"events":[{"type":"Meet","v":1,"payloads":[{"name":"a","ts":1}]}]}',
    b'{"metadata":{"meetingId":"m","attendeeId":"a"},"events":[]}',
    b'{"metadata":{"meetingId":"m","attendeeId":"a"},"events":[{"type":"Meet","v":1,"payloads":[]}]}',
    b'{"logs":[]}',
    b'{"appName":"x","meetingId":"m","attendeeId":"a","logs":[]}',
    b'{"appName":"x","meetingId":"m","attendeeId":"a","logs":{}}',
    b'{"appName":"x","meetingId":"m","attendeeId":"a","logs":[null]}',
    b'{"appName":"x","meetingId":"m","attendeeId":"a","logs":[{"message":{}}]}',
    b'{"meetingId":{},"attendeeId":[]}',
    b'{"a":1,"a":2}',
    b'[{"name":"a","name":"b","attributes":{"meetingId":"m","attendeeId":"a","timestampMs":1}}]',
    b"[" * 900 + b"]" * 900,
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 50_000,
    b"'single'",
    b"<xml/>",
    b"name=meetingEnded&attributes=1",
    b"--boundary\r\nContent-Disposition: form-data\r\n\r\n[]\r\n--boundary--",
    b"/* comment */ []",
    b"[1,]",
    b"\x1f\x8b" + gzip.compress(b"[]")[2:],
    b"9" * 5000,
    b"-",
    json.dumps({str(number): number for number in range(20_000)}).encode(),
    array(*[event(f"name-{number % 40}", timestampMs=_NOW + number) for number in range(3000)]),
]


def bodies() -> Iterator[bytes]:
    yield from _WHOLE
    for value in _VALUES:
        for place in ("name", "meetingId", "attendeeId", "timestampMs", "extra", "meetingHistory"):
            yield _array_with(place, value)
        for place in ("name", "ts", "extra"):
            yield _record_with(place, value)
        yield _log_with(value)


def _array_with(place: str, raw: str) -> bytes:
    """A good event, then one with this raw JSON at that place."""
    bad = event(timestampMs=_NOW + 1)
    return _put(array(event(), bad), place, raw, bad)


def _record_with(place: str, raw: str) -> bytes:
    payloads: list[dict[str, Any]] = [
        {"name": "meetingStartRequested", "ts": _NOW},
        {"name": "meetingEnded", "ts": _NOW + 5, "extra": 1},
    ]
    return record(payloads).replace(_spelled(place, payloads[1][place]), _raw(place, raw))


def _log_with(raw: str) -> bytes:
    body = log_batch("first", "SECOND")
    return body.replace(b'"SECOND"', raw.encode("utf-8", "surrogatepass"))


def _put(body: bytes, place: str, raw: str, into: dict[str, Any]) -> bytes:
    if place == "extra" or place == "meetingHistory":
        head, _, tail = body.rpartition(b"}}")
        return head + b", " + _raw(place, raw) + b"}}" + tail
    known = into["name"] if place == "name" else into["attributes"][place]
    head, _, tail = body.rpartition(_spelled(place, known))
    return head + _raw(place, raw) + tail


def _spelled(place: str, value: Any) -> bytes:
    return f"{json.dumps(place)}: {json.dumps(value)}".encode()


def _raw(place: str, raw: str) -> bytes:
    return f"{json.dumps(place)}: {raw}".encode("utf-8", "surrogatepass")
