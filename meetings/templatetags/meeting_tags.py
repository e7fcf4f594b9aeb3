"""What the templates of the meetings' pages need besides the pieces."""

from collections.abc import Sequence

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html
from django.utils.safestring import SafeString

from meetings.pages.filter_form import Choice
from portal.charts.timeline import SHAPES, Shape

register = template.Library()


@register.simple_tag(takes_context=True)
def kept_parameters(context: RequestContext, choices: Sequence[Choice]) -> list[tuple[str, str]]:
    """What a filter form passes on unseen: the range, and filters that it does not show."""
    shown = {choice.name for choice in choices} | {"after"}
    return [
        (name, value)
        for name, values in context["request"].GET.lists()
        for value in values
        if name not in shown
    ]


@register.simple_tag
def sign(shape: Shape, tone: str) -> SafeString:
    """A mark of the time axis, for its legend."""
    return format_html(
        '<svg class="sign" viewBox="-8 -8 16 16" aria-hidden="true">'
        '<path class="event ink-{}" d="{}"/></svg>',
        tone,
        SHAPES[shape],
    )
