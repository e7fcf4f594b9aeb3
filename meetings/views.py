"""The REST API about meetings: lists, details, and the same lists as files."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from meetings.exports import records_with_attributes
from meetings.filters import AttendeeFilter, EventFilter, MeetingFilter, PlainFilterSet
from meetings.models import Attendee, ClientEvent, Meeting
from meetings.schema import describe_detail, describe_list
from meetings.serializers import (
    AttendeeSerializer,
    EventSerializer,
    MeetingSerializer,
    Record,
    attendee_record,
    columns_of,
    event_record,
    meeting_record,
)
from portal import exports
from portal.access import audit
from portal.access.models import ApiKey
from portal.errors import ConflictError
from portal.keyset import CursorError, in_order, page_soon

PAGE_SIZE = 100
MOST_ON_A_PAGE = 500


class FormatNegotiation(BaseContentNegotiation):
    """`?format=` alone decides: a link must give the same thing wherever it is opened."""

    formats = ("json", "csv", "ndjson")

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> Any:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        wanted = request.query_params.get("format", "json")
        if wanted not in self.formats:
            raise ValidationError({"format": [f"Choose of {', '.join(self.formats)}."]})
        return next(iter(renderers)), "application/json"


class ReadView(APIView):
    """Meetings are read with `meetings:read`; files of them need the right to export as well."""

    renderer_classes = [JSONRenderer]
    content_negotiation_class = FormatNegotiation

    @property
    def required_scope(self) -> str:
        return "events:export" if self._is_export else "meetings:read"

    @property
    def required_permission(self) -> str:
        return "meetings.export_events" if self._is_export else "meetings.view_meeting"

    @property
    def _is_export(self) -> bool:
        return self.request.query_params.get("format", "json") != "json"


class ListView(ReadView):
    """A filtered list, newest first: by pages as JSON, whole as CSV or NDJSON."""

    filterset: ClassVar[type[PlainFilterSet]]
    serializer: ClassVar[type[serializers.Serializer[Any]]]
    column: ClassVar[str]
    noun: ClassVar[str]
    parameters: ClassVar[frozenset[str]] = frozenset({"cursor", "page_size", "format"})

    def rows(self) -> QuerySet[Any]:
        raise NotImplementedError

    def records(self, rows: Sequence[Any]) -> Iterable[Record]:
        raise NotImplementedError

    def columns(self) -> list[str]:
        return columns_of(self.serializer)

    def answer(self, request: Request) -> HttpResponseBase:
        filtered = self.filtered(request)
        wanted = request.query_params.get("format", "json")
        if wanted == "json":
            return self.page(request, filtered)
        return self.file(request, filtered, wanted)

    def filtered(self, request: Request) -> PlainFilterSet:
        filtered = self.filterset(request.query_params, self.rows())
        known = {*filtered.filters, *self.parameters}
        unknown = {
            name: ["This parameter is not known here. Check its spelling against /api/docs/."]
            for name in request.query_params
            if name not in known
        }
        if unknown or not filtered.is_valid():
            raise ValidationError({**unknown, **filtered.errors})
        return filtered

    def page(self, request: Request, filtered: PlainFilterSet) -> Response:
        try:
            page = page_soon(
                filtered.qs,
                self.column,
                cursor=request.query_params.get("cursor", ""),
                size=_page_size(request),
                bounds=filtered.bounds_of(self.column),
            )
        except CursorError as error:
            raise ValidationError({"cursor": [str(error)]}) from error
        return Response(
            {
                "next": _link(request, page.older),
                "previous": _link(request, page.newer),
                "results": list(self.records(page.rows)),
            }
        )

    def file(self, request: Request, filtered: PlainFilterSet, wanted: str) -> HttpResponseBase:
        key = request.auth if isinstance(request.auth, ApiKey) else None
        audit.record(
            f"export.{self.noun}",
            request=request._request,  # noqa: SLF001 - DRF's way to it
            target=key,
            format=wanted,
            path=request.path,
            filters=filtered.in_force(),
        )
        records = self.streamed(in_order(filtered.qs, self.column))
        name = f"{self.noun}-{timezone.now():%Y%m%d-%H%M%S}.{wanted}"
        if wanted == "csv":
            parts = exports.csv_parts(self.columns(), records)
            return exports.download(parts, file_name=name, content_type=exports.CSV_TYPE)
        parts = exports.ndjson_parts(records)
        return exports.download(parts, file_name=name, content_type=exports.NDJSON_TYPE)

    def streamed(self, queryset: QuerySet[Any]) -> Iterator[Record]:
        for chunk in exports.chunks(queryset):
            yield from self.records(chunk)


class EventListView(ListView):
    filterset = EventFilter
    serializer = EventSerializer
    column = "happened_at"
    noun = "events"
    parameters = ListView.parameters | {"include"}

    def rows(self) -> QuerySet[ClientEvent]:
        return ClientEvent.objects.with_everything()

    def columns(self) -> list[str]:
        names = super().columns()
        return names if self.with_attributes else [name for name in names if name != "attributes"]

    def records(self, rows: Sequence[ClientEvent]) -> Iterable[Record]:
        if not self.with_attributes:
            return map(event_record, rows)
        return records_with_attributes(rows)

    @property
    def with_attributes(self) -> bool:
        wanted = self.request.query_params.get("include", "")
        if wanted not in {"", "attributes"}:
            raise ValidationError({"include": ["The only thing to include is: attributes."]})
        return wanted == "attributes"


class EventsView(EventListView):
    @describe_list("list_events", "events", EventSerializer, EventFilter, attributes=True)
    def get(self, request: Request) -> HttpResponseBase:
        """Client events"""
        return self.answer(request)


class MeetingsView(ListView):
    filterset = MeetingFilter
    serializer = MeetingSerializer
    column = "last_event_at"
    noun = "meetings"

    def rows(self) -> QuerySet[Meeting]:
        return Meeting.objects.all()

    def records(self, rows: Sequence[Meeting]) -> Iterable[Record]:
        return map(meeting_record, rows)

    @describe_list("list_meetings", "meetings", MeetingSerializer, MeetingFilter)
    def get(self, request: Request) -> HttpResponseBase:
        """Meetings"""
        return self.answer(request)


class MeetingView(ReadView):
    @describe_detail("get_meeting", "meetings", MeetingSerializer, 404)
    def get(self, request: Request, external_id: str) -> Response:
        """One meeting"""
        return Response(meeting_record(get_object_or_404(Meeting, external_id=external_id)))


class MeetingEventsView(EventListView):
    def rows(self) -> QuerySet[ClientEvent]:
        meeting = get_object_or_404(Meeting, external_id=self.kwargs["external_id"])
        return ClientEvent.objects.of_meeting(meeting).with_everything()

    @describe_list(
        "list_meeting_events", "meetings", EventSerializer, EventFilter, 404, attributes=True
    )
    def get(self, request: Request, external_id: str) -> HttpResponseBase:
        """Client events of one meeting"""
        return self.answer(request)


class AttendeesView(ListView):
    filterset = AttendeeFilter
    serializer = AttendeeSerializer
    column = "last_event_at"
    noun = "attendees"

    def rows(self) -> QuerySet[Attendee]:
        return Attendee.objects.select_related("meeting", "client")

    def records(self, rows: Sequence[Attendee]) -> Iterable[Record]:
        return map(attendee_record, rows)

    @describe_list("list_attendees", "attendees", AttendeeSerializer, AttendeeFilter)
    def get(self, request: Request) -> HttpResponseBase:
        """Attendees"""
        return self.answer(request)


class AttendeeView(ReadView):
    @describe_detail("get_attendee", "attendees", AttendeeSerializer, 404, 409)
    def get(self, request: Request, attendee_id: str) -> Response:
        """One attendee"""
        return Response(attendee_record(attendee_of(request, attendee_id)))


class AttendeeEventsView(EventListView):
    def rows(self) -> QuerySet[ClientEvent]:
        attendee = attendee_of(self.request, self.kwargs["attendee_id"])
        return ClientEvent.objects.of([attendee]).with_everything()

    @describe_list(
        "list_attendee_events", "attendees", EventSerializer, EventFilter, 404, 409, attributes=True
    )
    def get(self, request: Request, attendee_id: str) -> HttpResponseBase:
        """Client events of one attendee"""
        return self.answer(request)


def attendee_of(request: Request, text: str) -> Attendee:
    """By our number, or by the meeting service's id if only one meeting knows it.

    With `?meeting=` the text is always the service's id, in that meeting.
    """
    attendees = Attendee.objects.select_related("meeting", "client")
    if meeting := request.query_params.get("meeting"):
        return get_object_or_404(attendees, meeting__external_id=meeting, external_id=text)
    if text.isascii() and text.isdigit() and len(text) < 19:
        return get_object_or_404(attendees, pk=int(text))
    found = list(attendees.filter(external_id=text).order_by("pk")[:2])
    if len(found) > 1:
        raise ConflictError(
            "This attendee id stands in several meetings. Add ?meeting=<meeting id>, or list them "
            "with /api/v1/attendees/?attendee=<attendee id>."
        )
    return found[0] if found else get_object_or_404(attendees, external_id=text)


def _page_size(request: Request) -> int:
    text = request.query_params.get("page_size", "") or str(PAGE_SIZE)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= MOST_ON_A_PAGE):
        raise ValidationError({"page_size": [f"A number from 1 to {MOST_ON_A_PAGE}."]})
    return int(text)


def _link(request: Request, cursor: str) -> str | None:
    if not cursor:
        return None
    query = request.query_params.copy()
    query["cursor"] = cursor
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
