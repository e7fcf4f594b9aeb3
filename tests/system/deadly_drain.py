"""`python -m tests.system.deadly_drain`: a drain that dies of some bodies, for test_poison.py."""

import os
from collections.abc import Mapping, Sequence

import django
from django.core.management import call_command

DOOR = "test-deadly"
DEADLY = b"deadly"


def main() -> None:
    django.setup()
    from portal.inbox.handlers import RefusedItem, register
    from portal.inbox.models import Delivery

    def handle(batch: Sequence[Delivery]) -> Mapping[int, Sequence[RefusedItem]]:
        if any(delivery.raw() == DEADLY for delivery in batch):
            os._exit(9)
        return {}

    register(DOOR, handle)
    call_command("drain")


if __name__ == "__main__":
    main()
