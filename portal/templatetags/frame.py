"""What the frame's own templates need: links of the time range, the viewer's zone."""

from datetime import datetime
from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils import timezone

from portal.timerange import PARAMETERS

register = template.Library()

# A new range starts at the first page again.
_PAGING = ("p", "page", "after", "before")


@register.simple_tag(takes_context=True)
def range_url(context: RequestContext, name: str) -> str:
    """This page for another time range."""
    parameters = context["request"].GET.copy()
    for dropped in (*PARAMETERS, *_PAGING):
        parameters.pop(dropped, None)
    parameters["range"] = name
    return f"?{parameters.urlencode()}"


@register.simple_tag(takes_context=True)
def other_parameters(context: RequestContext, *names: str) -> list[tuple[str, str]]:
    """The URL's parameters except the named ones, the range and the page: for hidden fields."""
    left_out = {*names, *PARAMETERS, *_PAGING}
    return [
        (name, value)
        for name, values in context["request"].GET.lists()
        for value in values
        if name not in left_out
    ]


@register.simple_tag
def zone_name(moment: datetime | None = None) -> str:
    """What the viewer's zone calls itself now: UTC, CET, +07."""
    return timezone.localtime(moment or timezone.now()).tzname() or ""


@register.filter
def place(zone: str) -> str:
    """Europe/Berlin as people say it."""
    return zone.rpartition("/")[2].replace("_", " ")


@register.filter
def initials(user: Any) -> str:
    words = (user.get_full_name() or user.get_username()).replace(".", " ").split()
    return "".join(word[0] for word in words[:2]).upper()
