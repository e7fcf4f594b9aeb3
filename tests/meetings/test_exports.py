"""Whole lists as CSV and NDJSON: the same rows, in the same order, safe in a spreadsheet."""

import csv
import io
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from meetings.serializers import AttendeeSerializer, EventSerializer, MeetingSerializer
from portal.access.models import AuditEvent
from portal.access.services import create_key
from portal.exports import guard, safe_name
from tests.meetings.arrivals import arrive, make_event, now_ms

pytestmark = pytest.mark.django_db


def body(response: Any) -> str:
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()


def csv_rows(response: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(response), newline="")))


def test_csv_ndjson_and_pages_tell_the_same_events_in_the_same_order(api: APIClient) -> None:
    start = now_ms() - 60_000
    arrive(*(make_event(f"name{n % 3}", timestampMs=start + n // 2) for n in range(9)))
    query = "/api/v1/events/?name=name1&name=name2"

    listed = api.get(query).json()["results"]
    lines = [json.loads(line) for line in body(api.get(f"{query}&format=ndjson")).splitlines()]
    rows = csv_rows(api.get(f"{query}&format=csv"))

    assert len(listed) == 6
    assert [row["id"] for row in lines] == [row["id"] for row in listed]
    assert [int(row["id"]) for row in rows] == [row["id"] for row in listed]
    assert lines[0].keys() == listed[0].keys()
    assert rows[0].keys() == listed[0].keys()
    assert {**lines[0], "happened_at": "", "received_at": ""} == {
        **listed[0],
        "happened_at": "",
        "received_at": "",
    }


@pytest.mark.parametrize(
    ("path", "serializer"),
    [
        ("events", EventSerializer),
        ("meetings", MeetingSerializer),
        ("attendees", AttendeeSerializer),
    ],
)
def test_what_is_sent_is_what_the_schema_describes(
    api: APIClient, path: str, serializer: Any
) -> None:
    arrive(make_event())

    row = api.get(f"/api/v1/{path}/").json()["results"][0]

    assert row.keys() == serializer().fields.keys() - {"attributes"}


def test_exports_with_attributes_hold_all_that_was_sent(api: APIClient) -> None:
    arrive(*(make_event(f"n{n}", brandNew=f"=x{n}") for n in range(3)))
    query = "/api/v1/events/?include=attributes&name=n1"

    row = csv_rows(api.get(f"{query}&format=csv"))[0]
    line = json.loads(body(api.get(f"{query}&format=ndjson")))

    assert json.loads(row["attributes"])["brandNew"] == "=x1"
    assert line["attributes"]["brandNew"] == "=x1"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "  =HYPERLINK(1)",
        "\u00a0=1",
        "\u200b=1",
        "\ufeff=1",
        "\uff1d1",
        "\n=1",
        "\tplain",
    ],
)
def test_no_cell_of_text_can_be_taken_for_a_formula(text: str) -> None:
    assert guard(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"),
    [(-1, -1), (-1.5, -1.5), (None, ""), (True, "true"), ("a=b", "a=b"), ({"a": 1}, '{"a":1}')],
)
def test_what_is_harmless_stays_as_it_is(value: Any, cell: Any) -> None:
    assert guard(value) == cell


def test_hostile_text_comes_back_whole_from_the_csv_file(api: APIClient) -> None:
    reason = "=cmd|' /C calc'!A0\",\"x\nnext,line \U0001f600 \u05d0"
    arrive(make_event("audioInputFailed", audioInputErrorMessage=reason))

    row = csv_rows(api.get("/api/v1/events/?format=csv"))[0]

    assert row["reason"].startswith("'=cmd|")
    assert row["name"] == "audioInputFailed"
    assert "\U0001f600" in row["reason"]


def test_an_empty_list_is_a_file_with_its_header(api: APIClient) -> None:
    assert body(api.get("/api/v1/meetings/?format=csv")).startswith('"meeting_id",')
    assert body(api.get("/api/v1/meetings/?format=ndjson")) == ""


def test_the_file_has_a_plain_name_and_is_never_shown_as_a_page(api: APIClient) -> None:
    response = api.get("/api/v1/attendees/?format=csv")

    disposition = response["Content-Disposition"]
    assert disposition.startswith('attachment; filename="attendees-')
    assert disposition.endswith('.csv"')
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ['x".csv\r\nSet-Cookie: a', "../../etc/passwd", "", "ü"])
def test_no_name_breaks_out_of_its_header_or_folder(name: str) -> None:
    assert set(safe_name(name)) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
    )
    assert safe_name(name)[0] not in ".-"


def test_an_export_stands_in_the_audit_trail_with_its_filters(api: APIClient) -> None:
    api.get("/api/v1/events/?format=csv&failed=1&name=a&name=b")

    event = AuditEvent.objects.get(action="export.events")
    assert event.actor_name == "ada"
    assert event.detail["format"] == "csv"
    assert event.detail["filters"] == {"failed": ["1"], "name": ["a", "b"]}


def test_a_key_with_the_export_scope_is_named_in_the_audit_trail() -> None:
    _, text = create_key(kind="secret", name="Warehouse", scopes=["events:export"])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")

    response = client.get("/api/v1/events/?format=ndjson")

    assert response.status_code == 200
    assert "Warehouse" in AuditEvent.objects.get(action="export.events").target_label


def test_a_refused_export_answers_in_json(api: APIClient) -> None:
    response = api.get("/api/v1/events/?format=csv&range=2y")

    assert response.status_code == 400
    assert response["Content-Type"] == "application/json"
    assert not AuditEvent.objects.filter(action="export.events").exists()


def test_a_large_export_is_streamed_in_parts_and_misses_nothing(api: APIClient) -> None:
    start = now_ms() - 60_000
    arrive(*(make_event(timestampMs=start + n) for n in range(2500)))

    response: Any = api.get("/api/v1/events/?format=ndjson")
    parts = list(response.streaming_content)

    ids = [json.loads(line)["id"] for line in b"".join(parts).splitlines()]
    assert len(parts) == 5
    assert len(set(ids)) == 2500
