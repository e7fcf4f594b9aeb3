from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "portal.inbox"
    label = "inbox"
    verbose_name = "Deliveries"

    def ready(self) -> None:
        from portal import health, metrics
        from portal.inbox import checks

        health.register(checks.check_drain)
        metrics.register(checks.figures)
