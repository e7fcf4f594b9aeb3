from django.apps import AppConfig
from django.conf import settings


class InboxConfig(AppConfig):
    name = "portal.inbox"
    label = "inbox"
    verbose_name = "Deliveries"

    def ready(self) -> None:
        from portal import freshness, health, metrics, navigation
        from portal.admin import register_page
        from portal.inbox import checks, pages, retention

        freshness.register(freshness.DRAIN, checks.all_behind)
        health.register(checks.check_drain)
        metrics.register(checks.figures)
        retention.register_classes()
        deliveries, held = "admin:inbox_delivery_changelist", "admin:inbox_quarantine_changelist"
        view = "inbox.view_delivery"
        register_page("doors/", pages.doors_page, "doors", view)
        for item in [
            navigation.NavItem("Deliveries", deliveries, view, order=10),
            navigation.NavItem(
                "Quarantine", held, "inbox.view_quarantine", checks.waiting_for, order=20
            ),
            navigation.NavItem("Doors", "admin:doors", view, order=30),
        ]:
            navigation.register("Deliveries", item)
        self._register_sqs()

    def _register_sqs(self) -> None:
        from portal import health, metrics
        from portal.inbox import drain, handlers
        from portal.inbox.sqs import held, intake, watch

        handlers.register(held.DOOR, held.handle_again)
        health.register(watch.check_queue)
        metrics.register(watch.figures)
        if settings.INBOX_SQS_URL:
            for number in range(settings.INBOX_SQS_RECEIVERS):
                drain.register_companion(f"sqs-intake-{number + 1}", intake.run)
        if settings.INBOX_SQS_DEAD_LETTER_URL:
            drain.register_companion("sqs-dead-letters", held.drain_dead_letters)
