"""The floors, the start-up, and each module on its own."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOST = ROOT / "forensic_cli"
FLOORS = [
    {"errors", "records", "status", "hookspecs", "text"},
    {"detector", "report", "entries", "options", "cache", "digests", "hub", "shapes", "folders", "formats"},
    {"paths", "images", "weights", "store", "writing", "reading"},
    {"features", "bundles"},
    {"plugins"},
    {"engine", "contract"},
    {"commands", "progress"},
    {"cli"},
    {"__main__"},
]
MODULES = sorted(path for path in HOST.rglob("*.py") if path.name != "__init__.py")


def room(path):
    """The first part of a module's path inside the host: its place on a floor."""
    return path.relative_to(HOST).with_suffix("").parts[0]


def floor(name):
    return next(number for number, names in enumerate(FLOORS) if name in names)


def imports(path):
    """The rooms of the host that a file imports, wherever in the file."""
    tree = ast.parse(path.read_text())
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "forensic_cli":
            parts = node.module.split(".")
            if len(parts) > 1:
                yield parts[1]
            else:
                names = [alias.name for alias in node.names]
                yield from (name for name in names if (HOST / name).exists() or (HOST / f"{name}.py").exists())


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(HOST)))
def test_imports_point_down(path):
    here = room(path)
    for there in imports(path):
        shared = {here, there} <= {"commands", "progress"}
        assert there == here or floor(there) < floor(here) or shared, f"{here} imports {there}"


def test_every_room_has_a_floor():
    rooms = {room(path) for path in HOST.rglob("*.py")} - {"__init__"}
    assert rooms == set().union(*FLOORS)


@pytest.mark.parametrize("path", sorted((ROOT / "plugins").rglob("*.py")), ids=str)
def test_guests_do_not_import_the_engine_or_commands(path):
    assert not {"engine", "commands", "cli", "plugins"} & set(imports(path))
    assert "import plugins" not in path.read_text()


def test_functions_and_files_are_small():
    for path in (*HOST.rglob("*.py"), *(ROOT / "plugins").rglob("*.py")):
        text = path.read_text()
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name != "scan":  # whose options alone are longer
                body = node.body[-1].end_lineno - node.body[0].lineno + 1
                assert body <= 60, f"{path}: {node.name} has {body} lines"


def loaded(*arguments):
    """The modules that a command leaves in memory."""
    code = (
        "import sys\nfrom forensic_cli.cli import run\n"
        f"run({list(arguments)!r})\nprint(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stderr.split()), done.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["scan", "--help"], ["methods"]])
def test_start_up_imports_nothing_heavy_and_no_plugin(arguments):
    modules, out = loaded(*arguments)
    assert out
    heavy = {"torch", "numpy", "PIL", "diffusers", "transformers", "timm", "c2pa", "huggingface_hub", "pluggy"}
    heavy |= {"importlib.metadata", "rich.console"}
    assert not modules & (heavy | {"forensic_detectors", "forensic_reports"})


def test_completion_imports_nothing_heavy(tmp_path):
    environment = {
        **os.environ,
        "_FORENSIC_COMPLETE": "complete_bash",
        "COMP_WORDS": "forensic scan -m we",
        "COMP_CWORD": "3",
    }
    code = "import sys\nfrom forensic_cli.cli import main\ntry: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.stdout.split() == ["wepe"]
    assert not {"torch", "numpy", "forensic_detectors"} & set(done.stderr.split())


def test_a_scan_of_statements_does_not_import_torch(photo_folder):
    modules, out = loaded("scan", str(photo_folder))
    assert len(out.splitlines()) == 6
    assert not {"torch", "transformers", "c2pa", "pyarrow"} & modules


LIGHT = [path for path in MODULES if room(path) not in ("features", "engine", "__main__")]


def test_each_module_imports_alone_without_a_warning():
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in LIGHT]
    for name in names:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", f"import {name}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"


def test_public_names():
    import forensic_cli

    assert sorted(forensic_cli.__all__) == sorted(forensic_cli._HOMES)
    for name in forensic_cli.__all__:
        assert getattr(getattr(forensic_cli, name), "__name__", "hookimpl") == name
    with pytest.raises(AttributeError):
        forensic_cli.nothing  # noqa: B018
