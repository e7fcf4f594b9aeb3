"""How the API about meetings is described at /api/schema/."""

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers

from meetings.filters import MomentFilter, PlainFilterSet, SeveralFilter, YesFilter
from portal.schema import errors

ViewT = TypeVar("ViewT", bound=Callable[..., Any])

_FORMAT = OpenApiParameter(
    "format",
    enum=["json", "csv", "ndjson"],
    default="json",
    description="csv and ndjson give the whole list as a file, without pages. They need the scope "
    "events:export. In CSV, cells that a spreadsheet would take for a formula begin with '.",
)
_INCLUDE = OpenApiParameter(
    "include",
    enum=["attributes"],
    description="Add everything that the client sent, read from the archive of deliveries.",
)
_PAGING = [
    OpenApiParameter("cursor", description="From the link to the next or previous page."),
    OpenApiParameter("page_size", int, default=100, description="1 to 500."),
]
_OLDER = (
    "Older rows; null at the end. Where a filter fits few of very many rows, a page may have fewer "
    "than were asked for, or none, and still lead on."
)
_MEETING = OpenApiParameter(
    "meeting", description="The meeting id, where the attendee id alone is not enough."
)


def describe_list(
    operation: str,
    tag: str,
    serializer: type[serializers.Serializer[Any]],
    filterset: type[PlainFilterSet],
    *statuses: int,
    attributes: bool = False,
) -> Callable[[ViewT], ViewT]:
    return extend_schema(
        operation_id=operation,
        summary=operation.replace("_", " ").capitalize(),
        tags=[tag],
        parameters=[
            *(_parameter(name, one) for name, one in filterset.base_filters.items()),
            *_PAGING,
            _FORMAT,
            *([_INCLUDE] if attributes else []),
        ],
        responses={
            (200, "application/json"): _page_of(serializer),
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
            **errors(400, 401, 403, 429, *statuses),
        },
    )


def describe_detail(
    operation: str, tag: str, serializer: type[serializers.Serializer[Any]], *statuses: int
) -> Callable[[ViewT], ViewT]:
    return extend_schema(
        operation_id=operation,
        summary=operation.replace("_", " ").capitalize(),
        tags=[tag],
        parameters=[_MEETING] if 409 in statuses else [],
        responses={200: serializer, **errors(401, 403, 429, *statuses)},
    )


@cache
def _page_of(serializer: type[serializers.Serializer[Any]]) -> Any:
    return inline_serializer(
        f"{serializer.__name__.removesuffix('Serializer')}Page",
        {
            "next": serializers.URLField(allow_null=True, help_text=_OLDER),
            "previous": serializers.URLField(allow_null=True, help_text="Newer rows."),
            "results": serializer(many=True),
        },
    )


def _parameter(name: str, one: django_filters.Filter) -> OpenApiParameter:
    choices = [value for value, _ in one.extra.get("choices", ())]
    several = isinstance(one, SeveralFilter | django_filters.MultipleChoiceFilter)
    return OpenApiParameter(
        name,
        type=_type_of(one),
        many=several,
        enum=choices or (["1", "0"] if isinstance(one, YesFilter) else None),
        description=str(one.label or ""),
    )


def _type_of(one: django_filters.Filter) -> Any:
    return OpenApiTypes.DATETIME if isinstance(one, MomentFilter) else OpenApiTypes.STR
