"""Looking at raw bodies costs little, whatever they are."""

import tracemalloc

from portal.inbox import raw


def test_json_nested_deep_does_not_fill_the_memory_when_it_is_indented() -> None:
    body = b"[" * 900 + b"1," * 100_000 + b"1" + b"]" * 900
    tracemalloc.start()

    shown = raw.show(body)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert shown.kind == "JSON"
    assert shown.is_cut
    assert len(shown.text) == raw.MOST_SHOWN
    assert peak < 64 * 1024 * 1024
