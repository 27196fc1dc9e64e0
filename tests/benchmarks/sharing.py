"""`-m wepe,rigid` against the sum of the two alone: three forward passes instead of four, and the very same scores."""

import statistics
import sys
import tempfile
from pathlib import Path

from common import LARGE, save_network, save_photographs, tell
from scanning import Scanner

IMAGES, BATCH, ROUNDS = 8, 8, 5

with tempfile.TemporaryDirectory() as folder:
    network = save_network(Path(folder, "network"), **LARGE)
    photographs = save_photographs(Path(folder, "photos"), IMAGES)
    scanners = {names: Scanner(names.split(","), network) for names in ("wepe", "rigid", "wepe,rigid")}
    for scanner in scanners.values():
        scanner.run(photographs[:1], BATCH)
    ratios, identical = [], True
    for number in range(ROUNDS):
        runs = {names: scanner.run(photographs, BATCH) for names, scanner in scanners.items()}
        ratios.append(runs["wepe,rigid"][0] / (runs["wepe"][0] + runs["rigid"][0]))
        alone = {path: runs["wepe"][1][path] | runs["rigid"][1][path] for path in runs["wepe"][1]}
        identical &= alone == runs["wepe,rigid"][1]
        print(f"round {number + 1}: {ratios[-1]:.3f}", file=sys.stderr)
    tell(
        "-m wepe,rigid / wepe + rigid, DINOv2-L, CPU", ratio=round(statistics.median(ratios), 3), identical_scores=identical
    )
