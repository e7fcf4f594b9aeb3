from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        from portal import health, navigation
        from portal.jobs import Period
        from portal.jobs import register as register_job
        from portal.pages import register_page
        from portal.retention import checks, pages

        health.register(checks.check_retention)
        register_job(Period.HOURLY, "portal.retention.purging.make_days")
        register_job(Period.HOURLY, "portal.retention.purging.purge_in_turns")
        register_page("retention/", pages.retention_page, "retention")
        navigation.register(
            "Settings", navigation.NavItem("Retention", "admin:retention", order=60)
        )


class PortalAdminConfig(AdminConfig):
    default_site = "portal.admin.PortalSite"
