#!/usr/bin/env python3
"""Greenroom's command line. `manage.py start` runs everything; `manage.py help` lists the rest."""

import os
import sys


def take_var_option(arguments: list[str]) -> list[str]:
    """`--var DIR` moves everything kept on disk: it must be known before the settings are read.

    Every command has it, so it is taken out here.
    """
    rest = []
    remaining = iter(arguments)
    for argument in remaining:
        name, _, value = argument.partition("=")
        if name == "--var":
            os.environ["PORTAL_VAR"] = value or next(remaining, "")
        else:
            rest.append(argument)
    return rest


def main() -> None:
    sys.argv = take_var_option(sys.argv)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
