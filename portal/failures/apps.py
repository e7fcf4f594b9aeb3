from django.apps import AppConfig


class FailuresConfig(AppConfig):
    name = "portal.failures"
    label = "failures"
    verbose_name = "Failures"

    def ready(self) -> None:
        from portal.failures import retention

        retention.register_classes()
