"""Which events, meetings and attendees are meant: one answer for pages, the API and exports.

Every parameter of a URL means the same in all three. Pages leave out what makes no sense and say
so (`notices`); the API refuses it with a 400 that names the parameter.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, ClassVar

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from meetings import vocabulary
from meetings.models import (
    TROUBLED_ATTENDEE,
    TROUBLED_MEETING,
    Attendee,
    Client,
    ClientEvent,
    EventName,
    Meeting,
    MeetingStatus,
)
from meetings.sightings import KINDS
from portal.keyset import Bounds
from portal.timerange import PRESETS, TimeRange, read_moment

FAILURES = tuple(KINDS)
NOT_TOLD = "-"  # as a value: the client did not tell
_LONGEST = 500
_MOST_VALUES = 50
_MOST_CLIENTS = 100  # with more, the database looks them up itself


class SeveralField(forms.Field):
    """A parameter that may be repeated: rows with any of the values are meant."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: Any) -> list[str]:
        values = [text.strip() for text in value or [] if text and text.strip()]
        if len(values) > _MOST_VALUES:
            raise ValidationError(f"Give this parameter at most {_MOST_VALUES} times.")
        for text in values:
            ProhibitNullCharactersValidator()(text)
            if len(text) > _LONGEST:
                raise ValidationError(f"A value has more than {_LONGEST} characters.")
        return ["" if text == NOT_TOLD else text for text in values]


class MomentField(forms.Field):
    def clean(self, value: Any) -> datetime | None:
        if not value:
            return None
        try:
            return read_moment(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error


class SeveralFilter(django_filters.Filter):
    """Columns that hold the value itself."""

    field_class = SeveralField

    def filter(self, queryset: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        if not values:
            return queryset
        return queryset.filter(**{f"{self.field_name}__in": values})


_INTERNED: dict[str, Callable[[list[str]], QuerySet[Any]]] = {
    "name": lambda values: EventName.objects.filter(value__in=values),
    "status": lambda values: MeetingStatus.objects.filter(value__in=values),
}


class InternedFilter(SeveralFilter):
    """Values kept in a table of their own: looked up first, so that the index by id serves."""

    def filter(self, queryset: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        if not values:
            return queryset
        ids = list(_INTERNED[self.field_name](values).values_list("pk", flat=True))
        condition = Q(**{f"{self.field_name}__in": ids})
        if "" in values:
            condition |= Q(**{f"{self.field_name}__isnull": True})
        return queryset.filter(condition)


class ClientFilter(SeveralFilter):
    """What is told of clients, which are few: looked up first, so that the rest is about ids.

    All such filters of one request are looked up together.
    """

    def filter(self, queryset: QuerySet[Any], values: list[str]) -> QuerySet[Any]:
        return queryset  # PlainFilterSet applies all of them at once


class MomentFilter(django_filters.Filter):
    field_class = MomentField


class PeriodForm(forms.Form):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        start, end = cleaned.get("from"), cleaned.get("to")
        if cleaned.get("range") and (start or end):
            self.add_error("range", "Give either a range or from and to.")
        if start and end and start >= end:
            self.add_error("to", "The end lies before the start.")
        return cleaned


class YesField(forms.Field):
    def clean(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        if str(value).lower() not in {"1", "0", "true", "false"}:
            raise ValidationError("Send 1 or 0.")
        return str(value).lower() in {"1", "true"}


class YesFilter(django_filters.Filter):
    """1 or 0; absent leaves all rows."""

    field_class = YesField


class PlainFilterSet(django_filters.FilterSet):
    """Adds the period, and what pages and the API each need to tell about bad values.

    With `period`, as pages have it, the URL's range, from and to have been read already.
    """

    period_columns: ClassVar[tuple[str, str]]

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        queryset: QuerySet[Any] | None = None,
        *,
        period: TimeRange | None = None,
    ) -> None:
        super().__init__(data if data is not None else {}, queryset)
        self.period = period

    @classmethod
    def get_filters(cls) -> Any:
        """`from` is a word of Python's own, so these three cannot be class attributes."""
        filters = super().get_filters()
        filters["range"] = django_filters.ChoiceFilter(
            choices=[(name, label) for name, (label, _) in PRESETS.items()],
            method="leave_out",
            label="The last 15m, 1h, 24h, 7d or 30d, up to now. Use it instead of from and to.",
            error_messages={"invalid_choice": f"Choose one of {', '.join(PRESETS)}."},
        )
        filters["from"] = MomentFilter(
            method="leave_out", label="Not before this moment (ISO 8601)."
        )
        filters["to"] = MomentFilter(method="leave_out", label="Before this moment (ISO 8601).")
        return filters

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        start, end = self.bounds()
        first, last = self.period_columns
        if start:
            queryset = queryset.filter(**{f"{last}__gte": start})
        if end:
            queryset = queryset.filter(**{f"{first}__lt": end})
        cleaned = self.form.cleaned_data
        for name, value in cleaned.items():
            queryset = self.filters[name].filter(queryset, value)
        return self._of_clients(queryset, cleaned)

    def _of_clients(self, queryset: QuerySet[Any], cleaned: Mapping[str, Any]) -> QuerySet[Any]:
        wanted = {
            f"{one.field_name}__in": cleaned[name]
            for name, one in self.filters.items()
            if isinstance(one, ClientFilter) and cleaned.get(name)
        }
        if not wanted:
            return queryset
        clients = _clients(wanted)
        return queryset.none() if clients is None else queryset.filter(client__in=clients)

    def bounds_of(self, column: str) -> Bounds:
        """Where in this column all rows lie, whatever the other filters say."""
        self.is_valid()  # cleans
        start, end = self.bounds()
        first, last = self.period_columns
        return Bounds(start if column == last else None, end if column == first else None)

    def bounds(self) -> tuple[datetime | None, datetime | None]:
        if self.period:
            return self.period.start, self.period.end
        cleaned = self.form.cleaned_data
        if preset := cleaned.get("range"):
            now = timezone.now()
            return now - PRESETS[preset][1], now
        return cleaned.get("from"), cleaned.get("to")

    def leave_out(self, queryset: QuerySet[Any], name: str, value: Any) -> QuerySet[Any]:
        """The period is applied by filter_queryset, all of it at once."""
        return queryset

    def notices(self) -> list[str]:
        """What was left out because it makes no sense, in sentences for the reader."""
        return [
            f"The filter “{name}” was left out: {' '.join(problems)}"
            for name, problems in self.errors.items()
            if not (self.period and name in {"range", "from", "to", "__all__"})
        ]

    def in_force(self) -> dict[str, list[str]]:
        """The filters that narrow the rows, as text: for chips, file names and the audit trail."""
        self.is_valid()  # cleans; what makes no sense is not in force
        return {
            name: [_text(one) for one in (value if isinstance(value, list) else [value])]
            for name, value in self.form.cleaned_data.items()
            if value not in (None, "", [])
        }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.isoformat() if isinstance(value, datetime) else str(value) or NOT_TOLD


_OF_CLIENT = "client__"
_STATUSES = "Meeting status, in the JavaScript SDK's spelling. May be repeated; - for none."
_SDK = "SDK name, such as amazon-chime-sdk-js. May be repeated; - for not told."
_PLATFORM = f"{', '.join(vocabulary.PLATFORMS)}. May be repeated."
_REGION = "AWS Region of the meeting's media, where it is known. May be repeated; - for not told."
_MEETING = "Meeting id, or the application's own id of the meeting."


class EventFilter(PlainFilterSet):
    period_columns = ("happened_at", "happened_at")

    name = InternedFilter("name", label="Event name. May be repeated.")
    kind = django_filters.ChoiceFilter(
        choices=[(kind.slug, kind.label) for kind in KINDS.values()],
        method="of_kind",
        label="Kind of failure.",
    )
    failed = YesFilter(method="only_failed", label="1: only joins, stays and devices that failed.")
    status = InternedFilter("status", label=_STATUSES)
    meeting = django_filters.CharFilter(method="of_meeting", max_length=200, label=_MEETING)
    attendee = django_filters.CharFilter(method="of_attendee", max_length=200, label="Attendee id.")
    user = SeveralFilter(
        "attendee__external_user_id", label="The application's id of the person. May be repeated."
    )
    sdk = ClientFilter("sdk_name", label=_SDK)
    sdk_version = ClientFilter("sdk_version", label="SDK version. May be repeated.")
    platform = ClientFilter("platform", label=_PLATFORM)
    browser = ClientFilter("browser_name", label="Browser name. May be repeated.")
    browser_major = ClientFilter("browser_major", label="Browser's major version.")
    os = ClientFilter("os_name", label="System name. May be repeated.")
    os_version = ClientFilter("os_version", label="System version. May be repeated.")
    region = SeveralFilter("meeting__media_region", label=_REGION)
    bot = YesFilter("attendee__is_bot", label="1: only events of bots; 0: only of people.")
    skewed = YesFilter("skewed", label="1: only events whose client clock cannot be right.")
    q = django_filters.CharFilter(
        method="matching", max_length=200, label="Text in the reason, or part of a person's id."
    )

    class Meta:
        model = ClientEvent
        form = PeriodForm
        fields: list[str] = []

    def of_kind(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        names = [event for event, kind in KINDS.items() if kind.slug == value]
        return self.filters["name"].filter(queryset, names)  # type: ignore[no-any-return]

    def only_failed(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        ids = list(EventName.objects.filter(value__in=FAILURES).values_list("pk", flat=True))
        return queryset.filter(name__in=ids) if value else queryset.exclude(name__in=ids)

    def of_meeting(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(meeting__in=_meetings_called(value))

    def of_attendee(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(attendee__in=Attendee.objects.filter(external_id=value))

    def matching(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(
            Q(reason__icontains=value)
            | Q(attendee__external_user_id__icontains=value)
            | Q(attendee__external_id__startswith=value)
        )


class MeetingFilter(PlainFilterSet):
    period_columns = ("first_event_at", "last_event_at")

    meeting = django_filters.CharFilter(method="called", max_length=200, label=_MEETING)
    live = YesFilter(method="with_people", label="1: only meetings with somebody in them.")
    failed = YesFilter(method="with_failures", label="1: only meetings in which anything failed.")
    attendee = SeveralFilter(method="having", label="With this attendee id.")
    user = SeveralFilter(method="having", label="With this person (the application's id).")
    sdk = SeveralFilter(method="having", label=_SDK)
    sdk_version = SeveralFilter(method="having", label="With an attendee on this SDK version.")
    platform = SeveralFilter(method="having", label=_PLATFORM)
    browser = SeveralFilter(method="having", label="With an attendee on this browser.")
    os = SeveralFilter(method="having", label="With an attendee on this system.")
    region = SeveralFilter("media_region", label=_REGION)
    q = django_filters.CharFilter(
        method="matching", max_length=200, label="Part of the meeting's id or the application's."
    )

    class Meta:
        model = Meeting
        form = PeriodForm
        fields: list[str] = []

    _columns = {
        "attendee": "external_id",
        "user": "external_user_id",
        "sdk": "client__sdk_name",
        "sdk_version": "client__sdk_version",
        "platform": "client__platform",
        "browser": "client__browser_name",
        "os": "client__os_name",
    }

    def called(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(_is_called(value))

    def with_people(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(present_count__gt=0) if value else queryset.filter(present_count=0)

    def with_failures(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(TROUBLED_MEETING if value else ~TROUBLED_MEETING)

    def having(self, queryset: QuerySet[Any], name: str, value: list[str]) -> QuerySet[Any]:
        if not value:
            return queryset
        column = self._columns[name]
        attendees = Attendee.objects.filter(meeting=OuterRef("pk"))
        if not column.startswith(_OF_CLIENT):
            return queryset.filter(Exists(attendees.filter(**{f"{column}__in": value})))
        clients = _clients({f"{column.removeprefix(_OF_CLIENT)}__in": value})
        if clients is None:
            return queryset.none()
        return queryset.filter(Exists(attendees.filter(client__in=clients)))

    def matching(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(
            Q(external_id__icontains=value) | Q(external_meeting_id__icontains=value)
        )


class AttendeeFilter(PlainFilterSet):
    period_columns = ("first_event_at", "last_event_at")

    meeting = django_filters.CharFilter(method="of_meeting", max_length=200, label=_MEETING)
    attendee = SeveralFilter("external_id", label="Attendee id. May be repeated.")
    user = SeveralFilter("external_user_id", label="The application's id of the person.")
    outcome = django_filters.MultipleChoiceFilter(
        choices=Attendee.Outcome.choices, label="How it went. May be repeated."
    )
    failed = YesFilter(method="with_failures", label="1: only those for whom anything failed.")
    bot = YesFilter("is_bot", label="1: only bots; 0: only people.")
    sdk = ClientFilter("sdk_name", label=_SDK)
    sdk_version = ClientFilter("sdk_version", label="SDK version. May be repeated.")
    platform = ClientFilter("platform", label=_PLATFORM)
    browser = ClientFilter("browser_name", label="Browser name. May be repeated.")
    browser_major = ClientFilter("browser_major", label="Browser's major version.")
    os = ClientFilter("os_name", label="System name. May be repeated.")
    os_version = ClientFilter("os_version", label="System version. May be repeated.")
    region = SeveralFilter("meeting__media_region", label=_REGION)
    q = django_filters.CharFilter(
        method="matching", max_length=200, label="Part of the attendee's or the person's id."
    )

    class Meta:
        model = Attendee
        form = PeriodForm
        fields: list[str] = []

    def of_meeting(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(meeting__in=_meetings_called(value))

    def with_failures(self, queryset: QuerySet[Any], name: str, value: bool) -> QuerySet[Any]:
        return queryset.filter(TROUBLED_ATTENDEE if value else ~TROUBLED_ATTENDEE)

    def matching(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(
            Q(external_id__icontains=value) | Q(external_user_id__icontains=value)
        )


def _clients(wanted: Mapping[str, list[str]]) -> Collection[int] | QuerySet[Any] | None:
    """Their ids, which the planner can weigh; None where no client ever was so."""
    found = Client.objects.filter(**wanted).values_list("pk", flat=True)
    clients = list(found[: _MOST_CLIENTS + 1])
    if not clients:
        return None
    return found if len(clients) > _MOST_CLIENTS else clients


def _meetings_called(value: str) -> QuerySet[Meeting]:
    return Meeting.objects.filter(_is_called(value))


def _is_called(value: str) -> Q:
    return Q(external_id=value) | Q(external_meeting_id=value)
