"""What a job asks for: margins over what is expected, more at every attempt, never more than the queue takes."""

import pytest

from segstudy.runtime.resources import LONGEST, disk_mb, memory_mb, minutes


def test_memory_by_hand():
    assert memory_mb(100, 1) == 2000  # the least
    assert memory_mb(10_000, 1) == 13_000
    assert [memory_mb(4000, attempt) for attempt in (1, 2, 3)] == [5500, 10_500, 16_000]  # 5200 a time, up to 500


def test_minutes_by_hand():
    assert minutes(3600, "measured", 1) == 110  # 20 + 1.5 x 60
    assert minutes(3600, "scaled", 1) == 170
    assert minutes(3600, "guessed", 1) == 260
    assert minutes(3600, "guessed", 2) == 520
    assert minutes(5, "measured", 1) == 30


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_no_job_asks_for_more_than_the_queue_takes(attempt):
    assert minutes(1e6, "guessed", attempt) == LONGEST
    assert minutes(1e6, "guessed", attempt, longest=240) == 240
    assert minutes(1.0, "measured", attempt, longest=10) == 10


def test_disk_by_hand():
    assert disk_mb(0) == 100
    assert disk_mb(1000) == 2100
