"""Two versions of the tool on the same images: scores, verdicts, reports, evaluation, stored results.

    python tests/benchmarks/versions.py BEFORE AFTER DATASET

BEFORE and AFTER are checkouts, DATASET a labelled data set. Methods that need weights get tiny random networks. Time,
version and place are left out of the comparison; the number of differences is the exit status.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pyarrow.parquet

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from conftest import save_classifier, save_dinov2

IMAGES = 24
METHODS = "provenance,probe,commfor.lite,commfor,rigid,wepe"
RUN = {"id", "started", "finished", "forensic", "python", "platform", "command", "store"}


def metadata(tree: Path, folder: Path) -> None:
    """What pip would write of a checkout's entry points, so that each version finds its own plugins."""
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    place = folder / "forensic_cli-0.1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: forensic-cli\nVersion: 0.1.0\n\n")
    tables = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (place / "entry_points.txt").write_text("\n".join(tables))


class Version:
    """One checkout, its plugins and its cache."""

    def __init__(self, tree: Path, home: Path) -> None:
        self.home = home
        metadata(tree, home / "metadata")
        path = os.pathsep.join(map(str, (tree, tree / "plugins", home / "metadata")))
        self.environment = os.environ | {"PYTHONPATH": path, "FORENSIC_CACHE": str(home / "cache")}

    def run(self, *words: str) -> None:
        command = [sys.executable, "-m", "forensic_cli", *words]
        done = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1, 3):
            sys.exit(f"{self.home.name}: {' '.join(words[:2])}: {done.stderr}")

    def scan(self, images: Path, networks: dict[str, Path], store: Path, name: str) -> dict:
        weights = [f"--weights={method}={folder}" for method, folder in networks.items()]
        outputs = [f"-o{self.home / name}.{suffix}" for suffix in ("json", "csv", "parquet")]
        self.run("scan", f"@{images}", "-m", METHODS, *weights, *outputs, "--store", str(store), "--offline")
        return json.loads((self.home / f"{name}.json").read_text())


def plain(report: dict) -> dict:
    """A report without what may differ."""
    report["run"] = {name: value for name, value in report["run"].items() if name not in RUN}
    report["summary"].pop("seconds", None)
    for row in report["files"]:
        for finding in row["findings"]:
            finding.pop("seconds", None)
    return report


def differences(one: object, other: object, place: str = "") -> list[str]:
    """Where two JSON values differ, numbers by more than 1e-12."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = dict.fromkeys([*one, *other])
        return [line for name in names for line in differences(one.get(name), other.get(name), f"{place}.{name}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [line for index, pair in pairs for line in differences(*pair, f"{place}[{index}]")]
    if isinstance(one, float) and isinstance(other, float) and abs(one - other) <= 1e-12:
        return []
    return [] if one == other else [f"{place}: {one!r:.80} -> {other!r:.80}"]


def rows(home: Path) -> list:
    """CSV and Parquet, without seconds."""
    with (home / "new.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    columns = pyarrow.parquet.read_table(home / "new.parquet").to_pylist()
    for row in [*table, *columns, *(finding for one in columns for finding in one["findings"])]:
        for name in [name for name in row if "seconds" in name]:
            del row[name]
    return json.loads(json.dumps([table, columns], default=str))


def main(before: Path, after: Path, data: str) -> int:
    from forensic_cli.datasets import read_dataset

    items = read_dataset([data]).items
    images = [item.path for item in items if item.row is None][:: max(1, len(items) // IMAGES)][:IMAGES]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        dinov2 = save_dinov2(home / "dinov2")
        networks = {"commfor": save_classifier(home / "classifier"), "rigid": dinov2, "wepe": dinov2}
        (home / "images.txt").write_text("\n".join(images) + "\n")
        first, second = Version(before, home / "before"), Version(after, home / "after")
        old = first.scan(home / "images.txt", networks, home / "store", "new")
        new = second.scan(home / "images.txt", networks, home / "other-store", "new")
        stored = second.scan(home / "images.txt", networks, home / "store", "stored")
        for item in items[:: max(1, len(items) // IMAGES)]:
            target = home / "data" / (f"fake/{item.generator or 'one'}" if item.generated else "real")
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(item.path, target)
        for version in (first, second):
            words = ["--transform", "none", "--transform", "jpeg:70", "-o", str(version.home / "results")]
            version.run("evaluate", str(home / "data"), "-m", "commfor.lite,probe", *words)
        results = [json.loads((version.home / "results/results.json").read_text()) for version in (first, second)]
        for result in results:
            result["run"] = {}
        found = {
            "reports": differences(plain(old), plain(new)),
            "rows": differences(rows(first.home), rows(second.home)),
            "evaluation": differences(*results),
            "on the store of the other": differences(plain(stored), plain(new)),
        }
        errors = sum(bool(finding["error"]) for row in new["files"] for finding in row["findings"])
    print(f"{len(images)} images, {METHODS}: {errors} failed findings, the same in both")
    for what, lines in found.items():
        print(f"{what}: {len(lines)} differences", *lines[:10], sep="\n  ")
    return sum(map(len, found.values()))


if __name__ == "__main__":
    sys.exit(min(99, main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), os.path.abspath(sys.argv[3]))))
