"""Where failures stand in the admin: their own pages, the navigation, the overview, the search."""

from portal import navigation, search
from portal.admin import register_page, register_panel
from portal.failures import frame, pages, steps

_VIEW, _TRIAGE = "failures.view_failure", "failures.triage_failure"

register_page("failures/", pages.failures_page, "failures", _VIEW)
register_page("failures/triage/", steps.triage_many, "failures_triage", _TRIAGE)
register_page("failures/undo/", steps.undo_steps, "failures_undo", _TRIAGE)
register_page("failures/<int:pk>/", pages.failure_page, "failure", _VIEW)
register_page("failures/<int:pk>/triage/", steps.triage_one, "failure_triage", _TRIAGE)
register_panel(frame.open_failures, 20, permission=_VIEW)
search.register(frame.find_failures)
navigation.register(
    "Failures", navigation.NavItem("Failures", "admin:failures", _VIEW, frame.needing_someone)
)
