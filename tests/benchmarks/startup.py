"""`forensic --help` and `forensic methods` against `python -c "import typer, rich"`: whole processes, taken in turn."""

import statistics
import subprocess
import sys
import time

from common import tell

RUNS = 21
BASE = [sys.executable, "-c", "import typer, rich"]
FORENSIC = [sys.executable, "-c", "import sys; from forensic_cli.cli import main; main()"]


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


for words in (["--help"], ["methods"]):
    seconds(BASE), seconds([*FORENSIC, *words])
    pairs = [(seconds([*FORENSIC, *words]), seconds(BASE)) for _ in range(RUNS)]
    tell(
        f"forensic {words[0]} / import typer, rich",
        ratio=round(statistics.median(ours / base for ours, base in pairs), 3),
        milliseconds=round(1000 * statistics.median(ours for ours, _ in pairs), 1),
        base_milliseconds=round(1000 * statistics.median(base for _, base in pairs), 1),
    )
