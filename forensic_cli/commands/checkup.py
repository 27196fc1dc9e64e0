"""What `forensic doctor` looks at: each examination answers with plain values, and notes problems and their repairs."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path

from forensic_cli import __version__
from forensic_cli.commands.providers import trial
from forensic_cli.errors import ForensicError, PluginError, reason
from forensic_cli.features.drivers import nvidia_driver
from forensic_cli.records import Json

_OURS = "forensic-cli"
_COMPILED = {  # modules that load machine code, and their distributions
    "c2pa": "c2pa-python",
    "pi_heif": "pi-heif",
    "pyarrow": "pyarrow",
    "safetensors": "safetensors",
    "simplejpeg": "simplejpeg",
    "torch": "torch",
    "torchvision": "torchvision",
}
_SWITCHES = ("FORENSIC_", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_HOME", "HF_ENDPOINT", "CUDA_VISIBLE_DEVICES", "OMP_NUM_")
_LITTLE_ROOM = 1_000_000_000


@dataclass
class Checkup:
    """Everything found, by section, and the problems in the order in which they were found."""

    sections: dict[str, Json] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def problem(self, what: str, repair: str) -> None:
        self.problems.append((what, repair))

    def to_json(self) -> Json:
        problems = [{"problem": what, "repair": repair} for what, repair in self.problems]
        return {"schema": "forensic/doctor/1", **self.sections, "problems": problems}


def examine() -> Checkup:
    """All examinations; one that goes wrong in a way that nobody foresaw is a problem too, and stops no other."""
    found = Checkup()
    for title, look in _EXAMINATIONS.items():
        try:
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                found.sections[title] = look(found)
        except Exception as error:  # a broken installation breaks in its own way, and here it is to be described
            found.sections[title] = {"error": reason(error)}
            found.problem(
                f"{title} cannot be examined: {reason(error)}", "please report this with `forensic doctor --json`"
            )
        words = sorted(
            {str(one.message).splitlines()[0] for one in heard if not issubclass(one.category, DeprecationWarning)}
        )
        if words:
            found.sections[title]["warnings"] = words
    return found


def _program(found: Checkup) -> Json:
    switches = {name: value for name, value in sorted(os.environ.items()) if name.startswith(_SWITCHES)}
    return {
        "forensic": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "environment": switches,
    }


def _libraries(found: Checkup) -> Json:
    """Our requirements as the installed metadata has them, what is installed, and whether compiled ones load."""
    from packaging.requirements import Requirement

    versions: Json = {}
    try:
        required = [Requirement(line) for line in metadata.requires(_OURS) or ()]
    except metadata.PackageNotFoundError:
        found.problem(f"{_OURS} is not installed as a package, so its plugins are not found", "pip install forensic-cli")
        return versions
    for one in required:
        if one.name.startswith("onnxruntime") or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        installed = _version(one.name)
        versions[one.name] = installed
        if installed is None:
            found.problem(f"{one.name} is not installed", f"pip install '{one}'")
        elif not one.specifier.contains(installed, prereleases=True):
            found.problem(f"{one.name} is {installed}, needed is {one.specifier}", f"pip install '{one}'")
    for module, distribution in _COMPILED.items():
        if versions.get(distribution) is None:
            continue
        try:
            import_module(module)
        except Exception as error:  # machine code that does not fit may raise anything
            cure = f"pip install --force-reinstall {distribution}"
            found.problem(f"{module} cannot be imported: {reason(error)}", cure)
    return versions


def _torch(found: Checkup) -> Json:
    try:
        import torch
    except Exception as error:  # already told among the libraries
        return {"error": reason(error)}
    threads = torch.get_num_threads()
    devices: list[Json] = [{"device": "cpu", "name": platform.processor() or platform.machine(), "threads": threads}]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            devices.append({"device": f"cuda:{index}", "name": about.name, "bytes": about.total_memory})
    if torch.backends.mps.is_available():
        devices.append({"device": "mps", "name": "Apple GPU", "bytes": torch.mps.recommended_max_memory()})
    if nvidia_driver() and not torch.cuda.is_available() and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        why = "its build has no CUDA" if torch.version.cuda is None else f"it is built for CUDA {torch.version.cuda}"
        cure = "see https://pytorch.org/get-started/locally/ for the build that fits the driver (nvidia-smi shows it)"
        found.problem(f"there is an NVIDIA driver, but torch {torch.__version__} sees no GPU: {why}", cure)
    return {"version": torch.__version__, "cuda": torch.version.cuda, "devices": devices}


def _onnxruntime(found: Checkup) -> Json:
    """Which distributions there are, and which providers really run: two distributions in one folder spoil each other."""
    names = sorted(
        {name for one in metadata.distributions() if (name := one.metadata["Name"] or "").startswith("onnxruntime")}
    )
    report: Json = {"distributions": {name: _version(name) for name in names}}
    fitting = (
        "onnxruntime" if sys.platform == "darwin" or platform.machine() not in ("x86_64", "AMD64") else "onnxruntime-gpu"
    )
    repair = f"pip uninstall -y {' '.join(names or [fitting])} && pip install {fitting}"
    if len(names) > 1:
        found.problem(f"{' and '.join(names)} are installed together and overwrite each other's files", repair)
    if not names:
        found.problem("onnxruntime is not installed", f"pip install {fitting}")
        return report
    try:
        onnxruntime = import_module("onnxruntime")
        listed = list(onnxruntime.get_available_providers())
    except Exception as error:  # of two that were installed over each other, anything may be left
        found.problem(f"onnxruntime cannot be used: {reason(error)}", repair)
        return report
    usable, words = trial([name for name in listed if not name.startswith("Azure")])
    report |= {"version": onnxruntime.__version__, "listed": listed, "usable": usable}
    if "CPUExecutionProvider" not in usable:
        found.problem(f"onnxruntime cannot run a model on the CPU ({words})", repair)
    if "CUDAExecutionProvider" in listed and "CUDAExecutionProvider" not in usable:
        report["cuda"] = f"not usable: {words or 'no session could be made'}"
        if nvidia_driver():
            cure = "pip install 'onnxruntime-gpu[cuda,cudnn]'"
            found.problem(f"there is an NVIDIA driver, but for onnxruntime CUDA is {report['cuda']}", cure)
    return report


def _caches(found: Checkup) -> Json:
    from forensic_cli.cache import cache_folder

    report: Json = {}
    try:
        report["ours"] = _folder(cache_folder(), found, "FORENSIC_CACHE")
    except ForensicError as error:
        found.problem(str(error), "export FORENSIC_CACHE=FOLDER")
    try:
        from forensic_cli import hub
    except ImportError as error:
        found.problem(f"huggingface_hub cannot be used: {reason(error)}", "pip install --force-reinstall huggingface-hub")
        return report
    report["hub"] = _folder(hub.cache(), found, "HF_HUB_CACHE") if hub.cache().exists() else {"path": str(hub.cache())}
    report["hub_offline"] = hub.offline()
    return report


def _folder(folder: Path, found: Checkup, variable: str) -> Json:
    free = shutil.disk_usage(folder).free
    try:
        with tempfile.TemporaryFile(dir=folder):
            writable = True
    except OSError as error:
        writable = False
        found.problem(
            f"{folder} cannot be written to ({error.strerror})", f"set {variable} to a folder that you can write to"
        )
    if free < _LITTLE_ROOM:
        found.problem(f"{folder} has {free / 1e6:.0f} MB of free disk", f"make room, or set {variable} to another disk")
    return {"path": str(folder), "bytes": sum(_file_sizes(folder)), "free_bytes": free, "writable": writable}


def _file_sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                yield os.lstat(os.path.join(parent, name)).st_size
            except OSError:
                continue  # another process removed it


def _plugins(found: Checkup) -> Json:
    from forensic_cli.entries import DETECTORS, REPORTS
    from forensic_cli.plugins import Plugins

    plugins = Plugins()
    report: Json = {}
    for group, title in ((DETECTORS, "methods"), (REPORTS, "reports")):
        report[title] = {}
        for offer in plugins.load_all(group):
            if isinstance(offer, PluginError):
                found.problem(str(offer), "update or uninstall that package; the others work without it")
            else:
                report[title][offer.name] = f"{offer.entry.distribution} {offer.entry.version}"
    for error in _unusable():
        found.problem(str(error), "update or uninstall that package; the others work without it")
    return report


def _unusable() -> Iterator[PluginError]:
    """What packages offer beside methods and reports, and cannot keep."""
    from forensic_cli import entries, recipes
    from forensic_cli.datasets.layouts import SHELF as LAYOUTS
    from forensic_cli.offers import command
    from forensic_cli.transforms.kinds import SHELF as TRANSFORMS

    commands = entries.find(entries.COMMANDS)
    for name in dict.fromkeys(entry.name for entry in commands):
        try:
            command([entry for entry in commands if entry.name == name])
        except PluginError as error:
            yield error
    yield from (error for shelf in (LAYOUTS, TRANSFORMS) for error in shelf.failures())
    yield from (one for one in recipes.every() if isinstance(one, PluginError))


def _formats(found: Checkup) -> Json:
    """Which image formats can be read, as far as it depends on how Pillow and its relatives were built."""
    from PIL import features

    names = {"JPEG": "jpg", "PNG": "zlib", "WebP": "webp", "AVIF": "avif", "TIFF": "libtiff"}
    report: Json = {title: bool(features.check(name)) for title, name in names.items()}
    for title in (title for title, readable in report.items() if not readable):
        found.problem(f"this Pillow cannot read {title}", "pip install --force-reinstall pillow")
    try:
        import pi_heif

        report["HEIC"] = bool(pi_heif.libheif_info().get("decoders"))
    except Exception:  # already told among the libraries
        report["HEIC"] = False
    else:
        if not report["HEIC"]:
            found.problem("this pi-heif has no decoder", "pip install --force-reinstall pi-heif")
    return report


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


_EXAMINATIONS: dict[str, Callable[[Checkup], Json]] = {
    "program": _program,
    "libraries": _libraries,
    "torch": _torch,
    "onnxruntime": _onnxruntime,
    "caches": _caches,
    "plugins": _plugins,
    "formats": _formats,
}
