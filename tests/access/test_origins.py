import pytest

from portal.access.models import ApiKey
from portal.access.origins import normalise_origin, origin_allowed
from portal.errors import OperationError
from tests.access.factories import make_request


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://App.Example.com", "https://app.example.com"),
        ("https://app.example.com:443/", "https://app.example.com"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("null", "null"),
    ],
)
def test_origins_are_kept_as_browsers_send_them(text: str, expected: str) -> None:
    assert normalise_origin(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "example.com",
        "https://*.example.com",
        "https://example.com/path",
        "https://user@example.com",
        "https://example.com?x",
        "https://example.com:99999",
        "https://münchen.example",
        "https://example.com\nhttps://evil.example",
        "javascript:alert(1)",
        "http://[::zz]",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(OperationError):
        normalise_origin(text)


LISTED = ["https://app.example.com"]


@pytest.mark.parametrize(
    ("listed", "sent", "allowed"),
    [
        ([], "https://anything.example", True),
        ([], None, True),
        (LISTED, None, True),
        (LISTED, "https://app.example.com", True),
        (LISTED, "https://app.example.com:443", True),
        (LISTED, "http://app.example.com", False),
        (LISTED, "https://app.example.com.evil.example", False),
        (LISTED, "https://sub.app.example.com", False),
        (LISTED, "https://app.example.com:8443", False),
        (LISTED, "null", False),
        (["null"], "null", True),
        (LISTED, "not an origin", False),
    ],
)
def test_a_list_of_origins_is_exact(listed: list[str], sent: str | None, allowed: bool) -> None:
    request = make_request(**({"HTTP_ORIGIN": sent} if sent else {}))

    assert origin_allowed(ApiKey(origins=listed), request) is allowed
