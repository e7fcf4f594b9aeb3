"""JSON from strangers: decoded as JSON.parse would, and safe to hand to PostgreSQL.

What cannot be represented is kept as text instead of refused: integers beyond 64 bits and numbers
beyond a double become the string of their digits, NUL and lone surrogates become U+FFFD.
Of duplicate keys the last wins.
"""

import json
import math
import re
import secrets
from itertools import accumulate
from typing import NamedTuple

from meetings.formats.reading import JSON, UnreadableError

MAX_DEPTH = 32

# PostgreSQL takes neither in text or jsonb.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_LONG_NUMBER = re.compile(r"[0-9]{19}")
# Possessive, and the closing quote optional, so that an unclosed string costs linear time too.
_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_NOT_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class TooDeep(str):
    """The text of a value that is nested deeper than allowed, standing in its place."""

    __slots__ = ()


class Document(NamedTuple):
    value: JSON
    has_deep: bool


def decode(body: bytes, *, max_depth: int = MAX_DEPTH) -> JSON:
    """The document in the body. Raises UnreadableError and nothing else."""
    text = _text(body)
    if _depth(body) > max_depth:
        raise _too_deep(max_depth)
    return _parse(text)


def decode_keeping_deep(body: bytes, *, max_depth: int = MAX_DEPTH) -> Document:
    """As decode, but a value nested too deep becomes a TooDeep, so that the rest can be read."""
    text = _text(body)
    if _depth(body) <= max_depth:
        return Document(_parse(text), has_deep=False)
    spans = _deep_spans(text, max_depth)
    mark = _mark()
    pieces, end = [], 0
    for index, (start, stop) in enumerate(spans):
        pieces += [text[end:start], f'"{mark}{index}"']
        end = stop
    document = _parse("".join([*pieces, text[end:]]))
    deep = {f"{mark}{index}": TooDeep(text[slice(*span)]) for index, span in enumerate(spans)}
    return Document(_put_back(document, deep), has_deep=True)


def contains_deep(value: JSON) -> bool:
    if isinstance(value, dict):
        return any(contains_deep(child) for child in value.values())
    if isinstance(value, list):
        return any(contains_deep(child) for child in value)
    return isinstance(value, TooDeep)


def encode(value: JSON) -> bytes:
    """Compact JSON in UTF-8, with each TooDeep as the text that it was."""
    mark = _mark()
    deep: list[TooDeep] = []
    text = json.dumps(
        _take_out(value, deep, mark) if contains_deep(value) else value,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    if deep:
        text = re.sub(f'"{mark}([0-9]+)"', lambda match: deep[int(match[1])], text)
    return text.encode()


def _text(body: bytes) -> str:
    if not body.strip():
        raise UnreadableError("empty", "The body is empty. Send the events as JSON.")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError(
            "not-utf8", f"The body is not UTF-8 (byte {error.start}). Send JSON in UTF-8."
        ) from error
    if text.startswith("\ufeff"):
        raise UnreadableError(
            "bom", "The body begins with a byte order mark. Send JSON in UTF-8 without one."
        )
    return text


def _too_deep(max_depth: int) -> UnreadableError:
    return UnreadableError(
        "too-deep", f"The body is nested deeper than {max_depth} levels. Send flatter JSON."
    )


def _depth(body: bytes) -> int:
    """How deep brackets nest outside strings, found without a Python loop over the text.

    Whether a bracket stands in a string is told by the number of quotes before it being odd, so
    everything else may go, and quotes in pairs too.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = body.translate(None, _NOT_STRUCTURE).replace(b'""', b"")
    brackets = b"".join(structure.split(b'"')[::2])
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _deep_spans(text: str, max_depth: int) -> list[tuple[int, int]]:
    """Where the values stand that lie deeper than max_depth levels."""
    spans: list[tuple[int, int]] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == max_depth + 1:
                start = token.start()
        elif token[0] in "]}":
            if depth == max_depth + 1:
                spans.append((start, token.end()))
            depth -= 1
    if depth > max_depth:
        raise _too_deep(max_depth)
    return spans


def _parse(text: str) -> JSON:
    try:
        document: JSON = json.loads(
            text,
            parse_int=_integer if _LONG_NUMBER.search(text) else None,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise UnreadableError(
            "not-json",
            f"The body is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).",
        ) from error
    if "\\u" in text and _UNSTORABLE_ESCAPE.search(text):
        return _storable(document)
    return document


def _integer(digits: str) -> int | str:
    if len(digits) > 20:
        return digits
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else digits


def _number(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _refuse_constant(constant: str) -> JSON:
    raise json.JSONDecodeError(f"{constant} is not a JSON value", constant, 0)


def _storable(value: JSON) -> JSON:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(child) for child in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", key): _storable(child) for key, child in value.items()}
    return value


def _mark() -> str:
    # Random, so that no body can hold a string that passes for the place of a deep value.
    return f"deep-{secrets.token_hex(16)}-"


def _put_back(value: JSON, deep: dict[str, TooDeep]) -> JSON:
    if isinstance(value, str):
        return deep.get(value, value)
    if isinstance(value, list):
        return [_put_back(child, deep) for child in value]
    if isinstance(value, dict):
        if not deep.keys().isdisjoint(value):
            raise UnreadableError("not-json", "The body is not JSON: a name is not a string.")
        return {key: _put_back(child, deep) for key, child in value.items()}
    return value


def _take_out(value: JSON, deep: list[TooDeep], mark: str) -> JSON:
    if isinstance(value, TooDeep):
        deep.append(value)
        return f"{mark}{len(deep) - 1}"
    if isinstance(value, list):
        return [_take_out(child, deep, mark) for child in value]
    if isinstance(value, dict):
        return {key: _take_out(child, deep, mark) for key, child in value.items()}
    return value
