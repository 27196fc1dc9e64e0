"""The scan that a newcomer makes, whole processes: the first ten photographs, and images per second after that."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import forensic, save_photographs, tell

FEW, MANY, ROUNDS = 10, 130, 3


def seconds(photographs: Path, folder: Path, *options: str) -> float:
    """One scan with an empty cache."""
    start = time.perf_counter()
    forensic("scan", str(photographs), "-o", str(folder / "scan.json"), "--no-store", "--offline", *options, cache=folder)
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as folder:
    place = Path(folder)
    save_photographs(place / "few", FEW)
    save_photographs(place / "many", MANY)
    rows = [(seconds(place / "few", place), seconds(place / "many", place)) for _ in range(ROUNDS)]
    first = rows[0][0]
    rates = [(MANY - FEW) / (many - few) for few, many in rows]
    tell(
        "default scan, 1-megapixel JPEG, CPU",
        first_ten_seconds=round(first, 2),
        images_per_second=round(statistics.median(rates), 1),
        rounds=[round(rate, 1) for rate in rates],
        options=sys.argv[1:],
    )
