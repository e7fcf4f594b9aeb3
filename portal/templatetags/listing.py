"""The rows of a changelist, with moments, numbers and yes/no shown as everywhere else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import template
from django.contrib.admin.helpers import AdminReadonlyField
from django.contrib.admin.templatetags.admin_list import result_headers, result_hidden_fields
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import display_for_field, display_for_value, lookup_field
from django.contrib.admin.views.main import PAGE_VAR
from django.core.exceptions import ObjectDoesNotExist
from django.db import models
from django.forms import ModelForm
from django.urls import NoReverseMatch
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst

from portal.listing import PortalChangeList
from portal.templatetags.pieces import number, state
from portal.templatetags.timetags import at, when

register = template.Library()


@dataclass(frozen=True, slots=True)
class Cell:
    label: str
    css: str
    content: Any
    url: str = ""
    popup_value: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    cells: list[Cell]
    errors: Any = ""


@register.inclusion_tag("admin/portal_results.html")
def portal_results(cl: PortalChangeList) -> dict[str, Any]:
    """In place of Django's result_list."""
    headers = list(result_headers(cl))
    lines = list(_lines(cl, [_label(header) for header in headers]))
    for header, cell in zip(headers, lines[0].cells if lines else [], strict=False):
        header["number"] = "cell-number" in cell.css
    sorted_fields = sum(1 for header in headers if header.get("sort_priority"))
    return {
        "cl": cl,
        "headers": headers,
        "many_sorted": sorted_fields > 1,
        "hidden_fields": list(result_hidden_fields(cl)),
        "lines": lines,
    }


def _label(header: dict[str, Any]) -> str:
    """The checkbox column's header is markup, and no label for its cells."""
    text = header["text"]
    return "" if isinstance(text, SafeString) else str(capfirst(text))


def _lines(cl: PortalChangeList, labels: list[str]) -> Iterator[Line]:
    forms = cl.formset.forms if cl.formset else [None] * len(cl.result_list)
    for result, form in zip(cl.result_list, forms, strict=True):
        cells = [
            _cell(cl, result, form, name, label)
            for name, label in zip(cl.list_display, labels, strict=True)
        ]
        if form and not form[cl.model._meta.pk.name].is_hidden:
            cells.append(Cell("", "cell-hidden", form[cl.model._meta.pk.name]))
        yield Line(cells, form.non_field_errors() if form else "")


def _cell(
    cl: PortalChangeList, result: models.Model, form: "ModelForm[Any] | None", name: Any, label: str
) -> Cell:
    key = name.__name__ if callable(name) else str(name)
    css = "action-checkbox" if key == "action_checkbox" else f"field-{key}"
    content, kind = _shown(cl, result, name)
    if form and key in form.fields:
        bound = form[key]
        return Cell(
            label,
            css,
            format_html("{}{}", bound.errors, bound.as_widget(attrs={"aria-label": label})),
        )
    css = f"{css} {kind}".strip()
    if not _links(cl, name):
        return Cell(label, css, content)
    try:
        url = add_preserved_filters(
            {"preserved_filters": cl.preserved_filters, "opts": cl.opts}, cl.url_for_result(result)
        )
    except NoReverseMatch:
        return Cell(label, css, content)
    popup = str(result.serializable_value(str(cl.to_field or cl.lookup_opts.pk.attname)))
    return Cell(label, css, content, url, popup if cl.is_popup else "")


def _links(cl: PortalChangeList, name: Any) -> bool:
    chosen: Sequence[Any] | None = cl.list_display_links
    if chosen is None:
        return False
    if chosen:
        return name in chosen
    named = [one for one in cl.list_display if one != "action_checkbox"]
    return bool(named) and named[0] == name


def _shown(cl: PortalChangeList, result: models.Model, name: Any) -> tuple[Any, str]:
    """What a cell holds, and its kind for the stylesheet."""
    empty = cl.model_admin.get_empty_value_display()
    try:
        field, attribute, value = lookup_field(name, result, cl.model_admin)
    except ObjectDoesNotExist:
        return empty, ""
    empty = getattr(attribute, "empty_value_display", empty)
    if field is not None and isinstance(field.remote_field, models.ManyToOneRel):
        related = getattr(result, field.name)
        return (empty if related is None else related), ""
    if _is_boolean(field, attribute) and (value is None or isinstance(value, bool)):
        return _yes_or_no(value), ""
    if isinstance(value, datetime):
        return when(value), "cell-time"
    if isinstance(value, int | float) and not getattr(field, "choices", None):
        if field is not None and field.primary_key:
            return str(value), ""
        return number(value), "cell-number"
    if field is None or field.auto_created:
        return display_for_value(value, empty), ""
    return display_for_field(value, field, empty), ""


def _is_boolean(field: Any, attribute: Any) -> bool:
    getter = attribute.fget if isinstance(attribute, property) else attribute
    return isinstance(field, models.BooleanField) or bool(getattr(getter, "boolean", False))


def _yes_or_no(value: bool | None) -> SafeString:
    """No colour: whether yes is good depends on the question."""
    if value is None:
        return state("unknown")
    return format_html(
        '<span class="{}">{}</span>', "yes" if value else "no", "Yes" if value else "No"
    )


@register.simple_tag
def readonly(field: AdminReadonlyField) -> Any:
    """A read-only field of a form, with moments and yes/no shown as everywhere else."""
    named = field.field["field"]
    try:
        model_field, attribute, value = lookup_field(named, field.form.instance, field.model_admin)
    except (AttributeError, ValueError, ObjectDoesNotExist):
        return field.contents()
    if isinstance(value, datetime):
        return at(value)
    if isinstance(value, bool) and _is_boolean(model_field, attribute):
        return _yes_or_no(value)
    return field.contents()


@register.filter
def page_url(number: int, cl: PortalChangeList) -> str:
    return str(cl.get_query_string({PAGE_VAR: number}))
