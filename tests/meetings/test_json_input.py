import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meetings.formats import UnreadableError
from meetings.formats.json_input import (
    TooDeep,
    contains_deep,
    decode,
    decode_keeping_deep,
    encode,
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"\xff", "not-utf8"),
        (b'"\xed\xa0\x80"', "not-utf8"),
        (b"\xef\xbb\xbf[]", "bom"),
        (b"[1,]", "not-json"),
        (b"[NaN]", "not-json"),
        (b"[-Infinity]", "not-json"),
        (b"[01]", "not-json"),
        (b'["a\nb"]', "not-json"),
        (b"[] []", "not-json"),
        (b"[" * 33 + b"]" * 33, "too-deep"),
        (b"[" * 100_000, "too-deep"),
        (b'{"a":' * 100_000, "too-deep"),
    ],
)
def test_what_json_parse_refuses_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        decode(body)

    assert caught.value.reason == reason
    assert str(caught.value).endswith(".")


def test_as_many_levels_as_allowed_are_read() -> None:
    assert encode(decode(b"[" * 32 + b"]" * 32)) == b"[" * 32 + b"]" * 32
    assert decode(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(UnreadableError):
        decode(b"[[1]]", max_depth=1)


def test_brackets_in_strings_are_not_depth() -> None:
    value = ["[" * 100, '\\"[' * 100, "\\" * 3 + "[" * 100, {'"{' * 50: "]}"}]

    assert decode(json.dumps(value).encode()) == value


def test_what_postgresql_cannot_store_is_replaced() -> None:
    body = rb'{"a\u0000b":"\ud800x\udc00","ok":"\ud83d\ude00","text":"\\u0000"}'

    assert decode(body) == {"a\ufffdb": "\ufffdx\ufffd", "ok": "😀", "text": "\\u0000"}


def test_numbers_beyond_64_bits_or_a_double_are_kept_as_text() -> None:
    digits = "9" * 5_000

    assert decode(b"[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert decode(b"[9223372036854775808]") == ["9223372036854775808"]
    assert decode(b"[1e400,-1e400]") == ["1e400", "-1e400"]
    assert decode(f"[{digits}]".encode()) == [digits]


def test_of_duplicate_keys_the_last_wins() -> None:
    assert decode(b'{"a":1,"a":2}') == {"a": 2}


def test_a_value_too_deep_is_kept_as_its_text_beside_the_rest() -> None:
    deep = b'[["x",{}]]'
    body = b'[1,{"a":' + deep + b"},2]"

    document = decode_keeping_deep(body, max_depth=2)

    assert document.has_deep
    assert document.value == [1, {"a": deep.decode()}, 2]
    assert isinstance(document.value, list)
    assert contains_deep(document.value[1])
    assert not contains_deep(document.value[0])
    assert encode(document.value) == body


def test_a_name_that_is_no_string_is_refused_however_deep() -> None:
    with pytest.raises(UnreadableError) as caught:
        decode_keeping_deep(b"[{[[1]]:1}]", max_depth=2)

    assert caught.value.reason == "not-json"


def test_an_unclosed_string_full_of_escapes_takes_no_time() -> None:
    body = b"[" * 40 + b'"' + b'\\"' * 500_000
    started = time.perf_counter()

    with pytest.raises(UnreadableError):
        decode_keeping_deep(body)

    assert time.perf_counter() - started < 1


@settings(max_examples=150, deadline=None)
@given(JSON_VALUES)
def test_storable_json_comes_back_as_it_was(value: object) -> None:
    body = json.dumps(value).encode()
    expected = json.loads(body, parse_int=_as_kept)

    decoded = decode(body)

    if "\\u" not in body.decode():
        assert decoded == expected
    assert decode(encode(decoded)) == decoded


@settings(max_examples=150, deadline=None)
@given(st.binary() | st.text(alphabet='[]{}",:\\1eE+-.ntf \n').map(str.encode))
def test_bytes_are_decoded_or_refused_and_nothing_else(body: bytes) -> None:
    try:
        document = decode_keeping_deep(body, max_depth=3)
    except UnreadableError:
        return
    assert document.has_deep == contains_deep(document.value)
    assert decode_keeping_deep(encode(document.value), max_depth=3).value == document.value


def test_the_text_of_a_deep_value_is_a_string_for_everybody_else() -> None:
    assert json.dumps({"a": TooDeep("[[1]]")}) == '{"a": "[[1]]"}'


def _as_kept(digits: str) -> int | str:
    return int(digits) if -(2**63) <= int(digits) < 2**63 else digits
