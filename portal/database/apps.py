from django.apps import AppConfig


class DatabaseConfig(AppConfig):
    name = "portal.database"
    label = "database"
    verbose_name = "Database"
