"""Whole lists as files: streamed row by row, and safe to open in a spreadsheet."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse

ModelT = TypeVar("ModelT", bound=Model)

CSV_TYPE = "text/csv; charset=utf-8"
NDJSON_TYPE = "application/x-ndjson"
_CHUNK_ROWS = 2000
_LINES_A_PART = 500
# What makes a spreadsheet calculate, in ASCII and in the full-width forms of East Asian input.
_FORMULA = re.compile("^[\\s\u200b\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")


def guard(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula. Numbers stay numbers."""
    if value is None or value == "":
        return ""
    if type(value) is str and value[0].isalnum():
        return value  # nearly every cell; the rest is looked at closely
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _json_text(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _json_text(value: Any) -> str:
    """Moments as ISO 8601 and structures as JSON, without the quotes around a lone text."""
    text = msgspec.json.encode(value).decode()
    return text[1:-1] if text.startswith('"') else text


class _Line:
    """csv.writer wants a file; this one hands each line straight back."""

    def write(self, text: str) -> str:
        return text


def csv_parts(columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    writer = csv.writer(_Line(), quoting=csv.QUOTE_NONNUMERIC)
    lines = (writer.writerow([guard(record.get(name)) for name in columns]) for record in records)
    yield str(writer.writerow(columns)).encode()
    yield from _joined(str(line).encode("utf-8", "replace") for line in lines)


def ndjson_parts(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line, exactly as in the API: without the guard of CSV."""
    yield from _joined(msgspec.json.encode(record) + b"\n" for record in records)


def _joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Few large parts: a server sends each part on its own."""
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if len(part) >= _LINES_A_PART:
            yield b"".join(part)
            part.clear()
    if part:
        yield b"".join(part)


def chunks(queryset: QuerySet[ModelT]) -> Iterator[list[ModelT]]:
    """All rows as they were when the export began, read through a server-side cursor.

    The transaction lets the database hand over rows while it still looks for more; without one
    it would first put the whole result aside.
    """
    with transaction.atomic():
        chunk: list[ModelT] = []
        for row in queryset.iterator(chunk_size=_CHUNK_ROWS):
            chunk.append(row)
            if len(chunk) >= _CHUNK_ROWS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def download(parts: Iterable[bytes], *, file_name: str, content_type: str) -> StreamingHttpResponse:
    """The file under a plain ASCII name, never shown by a browser as a page."""
    response = StreamingHttpResponse(parts, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{safe_name(file_name)}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def safe_name(file_name: str) -> str:
    """Letters, digits, dot, dash and underscore alone: nothing to break out of a header with."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", file_name).strip("-.")[:120] or "export"
