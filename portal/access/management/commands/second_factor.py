"""The way back in for somebody who has lost the phone and all recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.access import second_factor
from portal.access.models import User


class Command(BaseCommand):
    requires_system_checks = []
    help = "Remove the second factor of a person who can no longer show it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="verb", required=True)
        remove = commands.add_parser("remove", help="the password alone signs in again")
        remove.add_argument("user_name")

    def handle(self, *_: Any, **options: Any) -> None:
        name = options["user_name"]
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is nobody called {name}.")
        if not second_factor.is_enrolled(user):
            raise CommandError(f"{name} has no second factor.")
        second_factor.remove(user, actor=None)
        self.stderr.write(f"Removed the second factor of {name}, and ended the open sessions.")
