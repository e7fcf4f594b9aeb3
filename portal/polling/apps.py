from django.apps import AppConfig


class PollingConfig(AppConfig):
    name = "portal.polling"
    label = "polling"
    verbose_name = "Background jobs"

    def ready(self) -> None:
        from portal import health, metrics
        from portal.jobs import Period, register
        from portal.polling.checks import check_worker, figures

        health.register(check_worker)
        metrics.register(figures)
        register(Period.DAILY, "portal.polling.housekeeping.clear_sessions")
        register(Period.DAILY, "portal.polling.housekeeping.delete_old_tasks")
        register(Period.DAILY, "portal.access.services.delete_stale_rows")
