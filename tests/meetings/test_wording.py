import time

import pytest

from meetings import reasons, vocabulary, wording

DENIED = [
    "NotAllowedError: Permission denied",
    "NotAllowedError: Permission denied by system",
    "NotAllowedError: Permission dismissed",
    "NotAllowedError: The request is not allowed by the user agent or the platform in the "
    "current context.",
    "NotAllowedError: The request is not allowed by the user agent or the platform in the "
    "current context, possibly because the user denied permission.",
    "PermissionDeniedError: Permission denied",
    "audioPermissionError",
    "Permission denied",
]


def test_every_known_event_and_status_has_its_words() -> None:
    for name in vocabulary.EVENT_NAMES:
        assert wording.event_label(name) != name
    for status in vocabulary.STATUSES:
        assert wording.status_label(status) != status
        assert wording.status_advice(status).endswith(".")


def test_texts_are_sentences_without_shouting() -> None:
    for status in vocabulary.STATUSES:
        for name in sorted(vocabulary.FAILED):
            explained = wording.explain(name, status, "x")
            assert explained.title[0].isupper()
            assert "!" not in explained.title + explained.advice
            assert explained.advice.endswith(".")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("meetingStartSucceeded", "Joined"),
        ("meetingStartFailed", "Could not join"),
        ("somethingNewFailed", "Something new failed"),
        ("customURLEvent", "Custom URL event"),
        ("two words", "two words"),
        ("x" * 500, "X" + "x" * 118 + "…"),
        ("", ""),
    ],
)
def test_an_event_is_told_in_plain_words(name: str, label: str) -> None:
    assert wording.event_label(name) == label


@pytest.mark.parametrize("reason", DENIED)
def test_a_blocked_device_reads_and_groups_alike_in_every_browser(reason: str) -> None:
    explained = wording.explain("audioInputFailed", "", reason)

    assert explained.title == "Microphone blocked by the browser or system"
    assert explained.technical == reason
    assert reasons.signature(reason) == "device blocked"
    assert wording.reason_label("videoInputFailed", reason).startswith("Camera blocked")


@pytest.mark.parametrize(
    ("reason", "signature", "label"),
    [
        (
            "NotReadableError: Could not start audio source",
            "device in use",
            "Microphone in use by another program",
        ),
        (
            "NotReadableError: Failed to allocate audiosource",
            "device in use",
            "Microphone in use by another program",
        ),
        (
            "AbortError: Starting audioinput failed",
            "device in use",
            "Microphone in use by another program",
        ),
        ("NotFoundError: Requested device not found", "device not found", "No microphone found"),
        (
            "NotFoundError: The object can not be found here.",
            "device not found",
            "No microphone found",
        ),
        ("OverconstrainedError", "device unsuited", "Microphone cannot do what the app asked for"),
        ("AbortError: aborted", "device start interrupted", "Microphone could not be started"),
        (
            "SecurityError: x",
            "page not allowed to use devices",
            "The page may not use a microphone",
        ),
        (
            "TypeError: x is not a function",
            "device call refused",
            "The app asked for the microphone in a wrong way",
        ),
        ("TypeError: Failed to fetch", "network unreachable", "The network was not reachable"),
        ("Zorp broke", "zorp broke", "Zorp broke"),
    ],
)
def test_reasons_of_devices_are_told_in_plain_words(
    reason: str, signature: str, label: str
) -> None:
    assert reasons.signature(reason) == signature
    assert wording.reason_label("audioInputFailed", reason) == label


@pytest.mark.parametrize(
    ("name", "status", "reason", "title"),
    [
        ("meetingStartFailed", "MeetingEnded", "x", "Could not join: the meeting was already over"),
        ("meetingFailed", "AudioDisconnected", "", "Dropped out: the audio connection broke"),
        (
            "meetingStartFailed",
            "TaskFailed",
            "WebSocket connection failed",
            "Could not join: the control connection failed",
        ),
        ("meetingStartFailed", "TaskFailed", "odd", "Could not join: a step of joining failed"),
        ("meetingFailed", "BrandNew", "", "Dropped out: Brand new"),
        ("meetingFailed", "BrandNew", "odd thing", "Dropped out: odd thing"),
        ("meetingFailed", "OK", "", "Dropped out"),
        (
            "meetingFailed",
            "",
            "ICE gathering timed out",
            "Dropped out: no way through the network was found",
        ),
        ("audioInputFailed", "", "", "Microphone failed"),
        ("videoInputFailed", "", "odd  thing", "Camera failed: odd thing"),
    ],
)
def test_a_failure_is_explained_from_what_is_known(
    name: str, status: str, reason: str, title: str
) -> None:
    explained = wording.explain(name, status, reason)

    assert explained.title == title
    assert explained.advice


@pytest.mark.parametrize(
    ("status", "reason", "technical"),
    [
        ("MeetingEnded", "why", "MeetingEnded: why"),
        ("MeetingEnded", "", "MeetingEnded"),
        ("MeetingEnded", "MeetingEnded", "MeetingEnded"),
        ("", "why", "why"),
        ("", "", "meetingFailed"),
    ],
)
def test_the_clients_own_words_stay_at_hand(status: str, reason: str, technical: str) -> None:
    assert wording.explain("meetingFailed", status, reason).technical == technical


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Request 5f3c2a10-7d1e-4b0a-9c55-2b7f8f1a0706 broke",
            "Request c1a8b5a2-3d0e-1f4c-8a77-90c4f0f3b1de broke",
        ),
        ("GET https://a.example/x?y=1 gave 503", "GET https://b.example/ gave 500"),
        ('Lost "Logitech C920" (046d:0825)', 'Lost "Anna\'s AirPods" (05ac:200a)'),
        ("after 12.5 s", "After  3 s"),
        ("peer 192.0.2.7:443 gone", "peer 198.51.100.9 gone"),
        ("mail to anna@example.com", "mail to bo.b@example.org"),
        ("code 0xDEADBEEF12", "code 0xCAFEBABE34"),
        ("token YzFhOGI1YTItM2Qw9xKq", "token AbCdEfGh1234IjKlMnOp"),
    ],
)
def test_reasons_that_differ_in_particulars_only_group_together(one: str, other: str) -> None:
    assert reasons.signature(one) == reasons.signature(other)


def test_reasons_that_are_different_stay_apart() -> None:
    texts = ["Encoder broke", "Decoder broke", "Don't know", "Encoder was not there"]

    assert len({reasons.signature(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [
        ("AudioDisconnected", "whatever 17", "AudioDisconnected"),
        ("TaskFailed", "Failed to fetch", "network unreachable"),
        ("", "Zorp 17 broke", "zorp <n> broke"),
        ("Attempt 17 of 20", "", "attempt <n> of <n>"),
        ("Attempt 17 of 20", "odd", "attempt <n> of <n>"),
        ("x" * 500, "", "x" * 120),
    ],
)
def test_only_statuses_that_are_known_are_a_cause_as_they_stand(
    status: str, reason: str, cause: str
) -> None:
    assert wording.cause_of(status, reason) == cause


@pytest.mark.parametrize("piece", ["a", "a ", "1", "ICE ", "'", '"', "http://", "x@", "a-b_", "\n"])
def test_a_hostile_reason_costs_no_time_and_little_room(piece: str) -> None:
    started = time.perf_counter()

    signature = reasons.signature(piece * 100_000)
    explained = wording.explain("meetingFailed", "", piece * 100_000)

    assert time.perf_counter() - started < 1
    assert len(signature) <= 120
    assert len(explained.title) < 200
