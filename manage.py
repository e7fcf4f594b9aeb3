#!/usr/bin/env python3
"""Greenroom's command line. `manage.py start` runs everything; `manage.py help` lists the rest."""

import os
import sys


def take_var_option(arguments: list[str]) -> None:
    """`--var DIR` moves everything kept on disk: it must be known before the settings are read."""
    for position, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--var":
            following = arguments[position + 1 : position + 2]
            os.environ["PORTAL_VAR"] = value or next(iter(following), "")


def main() -> None:
    take_var_option(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
