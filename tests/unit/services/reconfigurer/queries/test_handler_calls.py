import pytest

from services.reconfigurer import answers
from services.reconfigurer.errors import GuestUnreachable
from services.reconfigurer.queries import handler_calls
from unibpf.bus import Reject
from unibpf.formats import cbor
from unibpf.messages.handlers import HandlerCall


def test_a_call_names_element_and_handler_and_has_the_value_where_there_is_one():
    call = HandlerCall(guest="g1", element="a/q", handler="active", write=True, value="true")
    assert cbor.decode(handler_calls.body(call), max_bytes=9999) == {0: "a/q", 1: "active", 2: "true"}
    assert cbor.decode(handler_calls.body(HandlerCall(guest="g1", element="q", handler="length")), max_bytes=9999) == {
        0: "q",
        1: "length",
    }


def test_a_value_is_counted_in_bytes():
    call = HandlerCall(guest="g1", element="q", handler="x", write=True, value="\N{SNOWMAN}" * 2000)
    with pytest.raises(Reject, match="6000 bytes"):
        handler_calls.body(call)


def test_an_answer_without_a_value_is_the_guests_fault():
    assert answers.handler_value({2: "7"}).value == "7"
    with pytest.raises(GuestUnreachable):
        answers.handler_value({0: "7"})
