"""The form of messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.inbox.handlers import WHOLE_BODY, RefusedItem
from portal.inbox.services import Envelope
from portal.inbox.sqs import held
from portal.inbox.sqs.messages import pack, unpack

pytestmark = pytest.mark.django_db


@given(
    body=st.binary(max_size=300),
    texts=st.lists(st.text(), min_size=4, max_size=4),
    address=st.none() | st.ip_addresses().map(str),
)
def test_any_delivery_survives_its_way_as_text_that_sqs_takes(
    body: bytes, texts: list[str], address: str | None
) -> None:
    envelope = Envelope("log-lines", None, address, *texts[:3])
    refusal = RefusedItem(WHOLE_BODY, "not-json", texts[3], body)

    packed = pack(body, envelope, received_us=1, refusal=refusal)
    message = unpack(packed.text)

    assert not set(packed.text) & {chr(code) for code in (*range(32), 0xFFFE, 0xFFFF)}
    assert held.letter_of(message).raw == body
    assert (message.door, message.address) == ("log-lines", address)
