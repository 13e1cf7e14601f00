"""What an operator sees of a dead letter on the real Kafka."""

import pytest

from deploy.dead_letters import dead_letters
from libs.common.bus.kafka import KafkaBus
from libs.common.events import Record
from libs.common.topics import dead_letter_topic


@pytest.mark.kafka
async def test_the_newest_letters_are_shown_with_reason_and_place_oldest_first(kafka_bootstrap: str) -> None:
    topic = dead_letter_topic("orders")
    bus = KafkaBus(kafka_bootstrap)
    await bus.start()
    try:
        place = [("pma-topic", b"pma.executions.v1"), ("pma-partition", b"2"), ("pma-offset", b"17")]
        letters = [Record(topic, b"block", b"{not json \xff", [("pma-reason", f"reason {i}".encode()), *place]) for i in range(3)]
        await bus.publish(letters)
        shown = [letter async for letter in dead_letters(kafka_bootstrap, "orders", last=2)]
    finally:
        await bus.stop()
    assert [letter["reason"] for letter in shown] == ["reason 1", "reason 2"]
    assert {name: shown[0][name] for name in ("topic", "partition", "offset", "key")} == {
        "topic": "pma.executions.v1",
        "partition": "2",
        "offset": "17",
        "key": "block",
    }
    assert str(shown[0]["value_starts"]).startswith("{not json ")
