from django.apps import AppConfig


class PollingConfig(AppConfig):
    name = "portal.polling"
    label = "polling"
    verbose_name = "Background jobs"
