"""What runs with the portal's own settings: `python -m benchmarks.large.inside fill|pages …`."""

import json
import sys
from datetime import datetime

import django


def main(arguments: list[str]) -> None:
    django.setup()
    from benchmarks.large import filling, pages

    what, *values = arguments
    if what == "fill":
        first, end, events, now = values
        days = range(int(first), int(end))
        filling.fill(days, int(events), now=datetime.fromisoformat(now))
    else:
        print(json.dumps(list(pages.measure())))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(sys.argv[1:])
