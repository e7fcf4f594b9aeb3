from django.apps import AppConfig


class FailuresConfig(AppConfig):
    name = "portal.failures"
    label = "failures"
    verbose_name = "Failures"
