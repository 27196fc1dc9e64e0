"""100,000 small files on a tiny DINOv2: peak memory against 1,000 files, and the second scan against the first.

The files differ in their bytes and are one photograph to the eye. `--files N` for a quick look.
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import TINY, save_network, save_photographs, tell
from PIL import Image

PEAK = """
import resource, sys
from forensic_cli.cli import run
status = run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
sys.exit(status)
"""


def make_files(folder: Path, count: int, source: Path) -> None:
    """Small JPEGs, a thousand to a folder; each ends with a comment of its own."""
    stream = io.BytesIO()
    Image.open(source).resize((96, 72)).save(stream, "JPEG", quality=85)
    for index in range(count):
        part = folder / f"{index // 1000:03d}"
        part.mkdir(parents=True, exist_ok=True)
        (part / f"{index:06d}.jpg").write_bytes(stream.getvalue() + f"{index:06d}".encode())


def scan(folder: Path, network: Path, cache: Path) -> tuple[float, int, dict[str, object]]:
    """Seconds of the whole process, its peak memory in MiB, and the summary of its report."""
    report = cache / "report.json"
    weights = [part for name in ("wepe", "rigid") for part in ("--weights", f"{name}={network}")]
    command = [sys.executable, "-c", PEAK, "scan", str(folder), "-m", "provenance,wepe,rigid", *weights, "-o", str(report)]
    start = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, "FORENSIC_CACHE": str(cache)}, capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - start
    with report.open() as file:
        head = "".join(line for line, _ in zip(file, range(400), strict=False))
    start_of_summary = head.index('"summary": ') + len('"summary": ')
    summary, _ = json.JSONDecoder().raw_decode(head[start_of_summary:])
    return seconds, int(done.stderr.split()[-1]), summary


parser = argparse.ArgumentParser()
parser.add_argument("--files", type=int, default=100_000)
count = parser.parse_args().files
with tempfile.TemporaryDirectory() as folder:
    network = save_network(Path(folder, "network"), **TINY)
    (source,) = save_photographs(Path(folder, "source"), 1)
    for name, files in (("few", 1000), ("many", count)):
        make_files(Path(folder, name), files, source)
        Path(folder, f"cache_{name}").mkdir()
    time.sleep(3)  # a file that changed within two seconds is read again
    _, few_peak, _ = scan(Path(folder, "few"), network, Path(folder, "cache_few"))
    first, many_peak, _ = scan(Path(folder, "many"), network, Path(folder, "cache_many"))
    second, again_peak, summary = scan(Path(folder, "many"), network, Path(folder, "cache_many"))
    tell(
        f"{count:,} small files, provenance, wepe and rigid on a tiny DINOv2",
        first_seconds=round(first, 1),
        second_seconds=round(second, 1),
        first_over_second=round(first / second, 1),
        from_store=summary["from_store"],
        peak_mib={"1,000 files": few_peak, "first": many_peak, "second": again_peak},
    )
