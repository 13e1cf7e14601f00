"""How many records a consumer takes at once: what a few seconds can work, by the heaviest of late."""

from libs.common.bus import Received
from libs.common.gather import BATCH_AIM_S, BATCH_RECORDS, FIRST_BATCH_RECORDS, PART_BYTES, BatchSize, parts_of


def test_light_records_are_soon_taken_by_the_full_batch() -> None:
    size, sizes = BatchSize(), []
    for _ in range(6):
        sizes.append(size.records)
        size.fit(size.records, 0.001 * size.records)
    assert sizes[:3] == [FIRST_BATCH_RECORDS, 2 * FIRST_BATCH_RECORDS, 4 * FIRST_BATCH_RECORDS]
    assert size.records == BATCH_RECORDS


def test_heavy_records_are_taken_by_as_many_as_fit() -> None:
    size = BatchSize()
    size.fit(100, 60.0)
    assert size.records == int(BATCH_AIM_S / 0.6)
    size.fit(1, 100.0)
    assert size.records == 1


def test_a_few_light_records_between_do_not_make_the_heavy_ones_too_many() -> None:
    size = BatchSize()
    size.fit(100, 60.0)
    for _ in range(5):
        size.fit(size.records, 0.001)
    assert size.records * 0.6 < 2 * BATCH_AIM_S
    for _ in range(200):
        size.fit(size.records, 0.001)
    assert size.records == BATCH_RECORDS


def test_a_transaction_holds_a_bounded_number_of_bytes_and_a_larger_record_stands_alone() -> None:
    sizes = [10, PART_BYTES // 2, PART_BYTES // 2, 1, 3 * PART_BYTES, 5, PART_BYTES]
    records = [Received("t", 0, offset, 0, b"k", bytes(size), ()) for offset, size in enumerate(sizes)]
    parts = [[record.offset for record in part] for part in parts_of(records)]
    assert parts == [[0, 1], [2, 3], [4], [5], [6]]
    assert list(parts_of([])) == []
