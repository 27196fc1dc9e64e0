"""Words beside the bar."""

import pytest

from forensic_cli.progress import pace
from forensic_cli.records import Summary


@pytest.mark.parametrize(
    ("summary", "total", "words"),
    [
        (Summary(found=0, seconds=3), 100, ""),
        (Summary(found=4, seconds=2), 100, "2.0 files/s"),
        (Summary(found=20, seconds=10), 100, "2.0 files/s, about 40 s left"),
        (Summary(found=1020, from_store=1000, seconds=10), 1620, "2.0 files/s, about 5 min left"),
        (Summary(found=20, seconds=10), 20020, "2.0 files/s, about 2.8 h left"),
        (Summary(found=5000, seconds=10), None, "500 files/s"),
    ],
)
def test_rate_and_time_left_count_the_files_that_took_work(summary, total, words):
    assert pace(summary, total) == words
