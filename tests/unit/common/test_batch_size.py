"""How many records a consumer takes at once: what a few seconds can work, by the heaviest of late."""

from libs.common.gather import BATCH_AIM_S, BATCH_RECORDS, FIRST_BATCH_RECORDS, BatchSize


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
