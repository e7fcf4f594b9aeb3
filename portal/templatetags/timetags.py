"""Moments and durations in templates."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal import figures, moments

register = template.Library()


def _element(moment: datetime | None, text: str) -> SafeString | str:
    if moment is None:
        return figures.NOTHING
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="milliseconds"),
        moments.both_zones(moment),
        text,
    )


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """How long ago; exactly when, here and in UTC, on hover."""
    return _element(moment, moments.relative(moment) if moment else "")


@register.simple_tag
def at(moment: datetime | None) -> SafeString | str:
    """Exactly when, in the viewer's zone."""
    return _element(moment, moments.absolute(moment) if moment else "")


@register.simple_tag
def clock(moment: datetime | None) -> SafeString | str:
    """The time of day alone, for rows of one day."""
    return _element(moment, moments.clock(moment) if moment else "")


@register.simple_tag
def between(start: datetime | None, end: datetime | None) -> SafeString | str:
    """How long something lasted, or lasts since: "12 min 05 s", "12 min so far"."""
    if start is None:
        return figures.NOTHING
    if end is None:
        return format_html("{} so far", figures.duration(timezone.now() - start))
    return figures.duration(end - start)


@register.filter
def duration(length: float | timedelta | None) -> str:
    """Seconds or a timedelta in words."""
    return figures.duration(length)
