import numpy as np
import pytest

from dcgan_dist.monitoring.messages import Event, Message, MessageBuffer, Pictures, Scalars


def scalars(step: int) -> Scalars:
    return {"kind": "scalars", "attempt": 0, "step": step, "images": 8 * step, "values": {"loss/generator": 1.0}}


def event(text: str) -> Event:
    return {"kind": "event", "text": text, "step": 0, "images": 0}


def pictures(step: int) -> Pictures:
    return {
        "kind": "pictures",
        "name": "samples",
        "generator": "raw",
        "step": step,
        "images": 8 * step,
        "array": np.zeros((1, 32, 32, 3), np.uint8),
        "columns": None,
    }


def test_messages_come_out_in_order_and_once() -> None:
    buffer = MessageBuffer()
    sent: list[Message] = [scalars(1), event("a"), scalars(2), pictures(2), event("b")]
    buffer.put(sent[:2])
    buffer.put(sent[2:])
    assert len(buffer) == 5
    assert buffer.drain() == sent
    assert buffer.drain() == []


def test_a_full_buffer_drops_the_oldest_numbers_and_counts_them() -> None:
    buffer = MessageBuffer(limit_bytes=10 * 1024)
    buffer.put([event("first"), *(scalars(step) for step in range(20)), event("last")])
    *messages, dropped = buffer.drain()
    assert messages == [event("first"), *(scalars(step) for step in range(12, 20)), event("last")]
    assert dropped == {"kind": "dropped", "scalars": 12, "others": 0}


def test_pictures_are_dropped_after_numbers_and_before_events() -> None:
    # A picture of 3 KiB weighs 4 KiB, all others 1 KiB.
    buffer = MessageBuffer(limit_bytes=6 * 1024)
    buffer.put([pictures(1), event("a"), scalars(1), scalars(2), pictures(2), event("b")])
    messages = buffer.drain()
    assert [message["kind"] for message in messages] == ["event", "pictures", "event", "dropped"]
    assert messages[-1] == {"kind": "dropped", "scalars": 2, "others": 1}


def test_events_are_dropped_only_among_themselves() -> None:
    buffer = MessageBuffer(limit_bytes=3 * 1024)
    buffer.put([event(str(number)) for number in range(5)])
    buffer.put([scalars(1), pictures(1)])
    assert buffer.drain() == [
        event("2"),
        event("3"),
        event("4"),
        {"kind": "dropped", "scalars": 1, "others": 3},
    ]


@pytest.mark.parametrize("limit", [1, 5, 17])
def test_memory_stays_bounded_whatever_is_sent(limit: int) -> None:
    buffer = MessageBuffer(limit_bytes=limit * 1024)
    for step in range(100):
        some: list[Message] = [scalars(step), event("x"), pictures(step)]
        buffer.put(some[step % 3 : step % 3 + 1])
        assert len(buffer) <= limit


def test_dropping_is_told_once() -> None:
    buffer = MessageBuffer(limit_bytes=1024)
    buffer.put([scalars(1), scalars(2)])
    assert buffer.drain()[-1]["kind"] == "dropped"
    buffer.put([scalars(3)])
    assert buffer.drain() == [scalars(3)]
