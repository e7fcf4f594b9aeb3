from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    name = "meetings"
    label = "meetings"
    verbose_name = "Meetings"

    def ready(self) -> None:
        from meetings import handlers, results, retention, sightings
        from meetings.cloudwatch import outbox, shipper, watch
        from meetings.pages import registration
        from meetings.rollups import compactor
        from portal import health, metrics
        from portal.failures import kinds
        from portal.inbox import drain
        from portal.inbox import results as inbox_results
        from portal.inbox.handlers import register

        for door in handlers.READERS:
            register(door, handlers.handle)
            inbox_results.register(door, results.describe)
        for kind in sightings.KINDS.values():
            kinds.register(kind)
        register(outbox.DOOR, outbox.handle_again)
        drain.register_companion("cloudwatch", shipper.run)
        drain.register_companion("rollups", compactor.run)
        health.register(watch.check_cloudwatch)
        metrics.register(watch.read_figures)
        registration.register()
        retention.register_classes()
