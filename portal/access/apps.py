from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "portal.access"
    label = "access"
    verbose_name = "Access"

    def ready(self) -> None:
        from portal.access import retention
        from portal.access.admin import replace_foreign_pages
        from portal.access.pages import register_pages
        from portal.access.roles import sync_roles

        post_migrate.connect(sync_roles, dispatch_uid="portal.access.roles")
        register_pages()
        retention.register_classes()
        replace_foreign_pages()
