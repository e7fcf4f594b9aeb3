"""Bytes from strangers as text that is safe to look at."""

import json
from dataclasses import dataclass

MOST_SHOWN = 256 * 1024
_MOST_DUMPED = 4096
_DUMP_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """`text` goes through the template's escaping like any other. `dump` only if it is no UTF-8."""

    text: str
    kind: str
    size: int
    is_cut: bool
    dump: str = ""


def show(body: bytes, limit: int = MOST_SHOWN) -> Shown:
    part = body[:limit]
    text, is_text = _decode(part, is_cut=len(part) < len(body))
    if not is_text:
        dump = hex_dump(body[:_MOST_DUMPED])
        return Shown(_visible(text), "not UTF-8", len(body), len(part) < len(body), dump)
    pretty = _pretty(body, limit) if len(part) == len(body) else None
    if pretty is not None:
        cut = len(pretty) > limit
        return Shown(_visible(pretty[:limit]), "JSON", len(body), cut)
    return Shown(_visible(text), "text", len(body), len(part) < len(body))


def hex_dump(body: bytes) -> str:
    """As hexdump -C shows it."""
    lines = []
    for start in range(0, len(body), _DUMP_WIDTH):
        row = body[start : start + _DUMP_WIDTH]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{start:08x}  {row.hex(' '):<{_DUMP_WIDTH * 3 - 1}}  |{letters}|")
    return "\n".join(lines)


def _decode(part: bytes, *, is_cut: bool) -> tuple[str, bool]:
    """A cut may go through a letter; that alone does not make it something else than text."""
    try:
        return part.decode(), True
    except UnicodeDecodeError as error:
        in_last_letter = is_cut and error.start >= len(part) - 3
        return part.decode(errors="replace"), in_last_letter


def _pretty(body: bytes, limit: int) -> str | None:
    """A little more than `limit` of it at most: deep nesting indents a body to a thousandfold."""
    parts: list[str] = []
    size = 0
    try:
        for part in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(json.loads(body)):
            parts.append(part)
            size += len(part)
            if size > limit:
                break
        return "".join(parts)
    except (ValueError, RecursionError):
        return None


def _visible(text: str) -> str:
    """Control characters, and those that turn the direction of text, as pictures or escapes."""
    return "".join(_picture(letter) for letter in text)


def _picture(letter: str) -> str:
    code = ord(letter)
    if letter in "\n\t":
        return letter
    if code < 0x20:
        return chr(0x2400 + code)
    if 0x7F <= code < 0xA0 or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return f"\\u{code:04x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else letter
