"""Order of dotted versions such as 3.9.1 and 3.20.0."""

import re
from itertools import zip_longest

_NUMBERS = re.compile(r"[vV]?([0-9]{1,9}(?:\.[0-9]{1,9}){0,7})")


def _numbers(version: str) -> list[int] | None:
    found = _NUMBERS.match(version.strip())
    return [int(part) for part in found[1].split(".")] if found else None


def sort_key(version: str) -> tuple[list[int], str]:
    """Orders versions as people count; what is no version comes first."""
    return _numbers(version) or [], version


def is_older(version: str, than: str) -> bool:
    """False where either is unknown: what cannot be judged does not excuse a failure.

    Only the numbers count; "3.20" equals "3.20.0", and "3.20.0-beta.1" equals "3.20.0".
    """
    left, right = _numbers(version), _numbers(than)
    if left is None or right is None:
        return False
    for ours, theirs in zip_longest(left, right, fillvalue=0):
        if ours != theirs:
            return ours < theirs
    return False
