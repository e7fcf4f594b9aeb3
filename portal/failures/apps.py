from django.apps import AppConfig


class FailuresConfig(AppConfig):
    name = "portal.failures"
    label = "failures"
    verbose_name = "Failures"

    def ready(self) -> None:
        from portal import navigation, search
        from portal.admin import register_page, register_panel
        from portal.failures import frame, pages, steps

        view, triage = "failures.view_failure", "failures.triage_failure"
        register_page("failures/", pages.failures_page, "failures", view)
        register_page("failures/triage/", steps.triage_many, "failures_triage", triage)
        register_page("failures/undo/", steps.undo_steps, "failures_undo", triage)
        register_page("failures/<int:pk>/", pages.failure_page, "failure", view)
        register_page("failures/<int:pk>/triage/", steps.triage_one, "failure_triage", triage)
        register_panel(frame.open_failures, 20, permission=view)
        search.register(frame.find_failures)
        navigation.register(
            "Failures",
            navigation.NavItem("Failures", "admin:failures", view, frame.needing_someone),
        )
