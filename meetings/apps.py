from django.apps import AppConfig


class MeetingsConfig(AppConfig):
    name = "meetings"
    label = "meetings"
    verbose_name = "Meetings"

    def ready(self) -> None:
        from meetings import handlers, sightings
        from portal.failures import kinds
        from portal.inbox.handlers import register

        for door in handlers.READERS:
            register(door, handlers.handle)
        for kind in sightings.KINDS.values():
            kinds.register(kind)
