from django.apps import AppConfig


class InboxConfig(AppConfig):
    name = "portal.inbox"
    label = "inbox"
    verbose_name = "Deliveries"

    def ready(self) -> None:
        from portal import health, metrics, navigation
        from portal.admin import register_page
        from portal.inbox import checks, pages

        health.register(checks.check_drain)
        metrics.register(checks.figures)
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
