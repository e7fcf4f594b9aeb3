"""Charts in templates: each tag takes what the builder of its name in portal.charts takes."""

from django import template

from portal.charts.bars import bars
from portal.charts.columns import columns
from portal.charts.line import line
from portal.charts.pie import pie
from portal.charts.sparkline import sparkline
from portal.charts.timeline import timeline

register = template.Library()

for _builder in (bars, columns, line, pie, sparkline, timeline):
    register.simple_tag(_builder)
