"""The floors, the start-up, and each module on its own."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import forensic_cli

ROOT = Path(__file__).parent.parent
HOST = ROOT / "forensic_cli"
FLOORS = [
    {"errors", "status", "hookspecs", "text", "shapes", "entries"},
    {"records"},
    {
        *("detector", "report", "offers", "options", "cache", "digests", "hub", "folders", "formats"),
        *("classifier", "statistics"),
    },
    {"paths", "images", "weights", "store", "writing", "report_files", "transforms"},
    {"features", "bundles", "datasets", "profiles", "recipes"},
    {"training"},
    {"abilities"},
    {"plugins"},
    {"engine", "contract"},
    {"commands", "progress"},
    {"cli"},
    {"__main__"},
]
MODULES = sorted(set(HOST.rglob("*.py")) - {HOST / "__init__.py"})  # which imports the public names when they are asked for
BY_NAME = {HOST / "__init__.py", HOST / "offers.py"}  # import modules whose names they are told
LONG = (HOST / "commands" / "scan.py", "scan")  # its options alone are longer


def room(path):
    """The first part of a module's path inside the host: its place on a floor."""
    return path.relative_to(HOST).with_suffix("").parts[0]


def package(path):
    """The names of the package that a file belongs to, outermost first; for an __init__.py the package that it is."""
    return path.parent.relative_to(ROOT / "plugins" if path.is_relative_to(ROOT / "plugins") else ROOT).parts


def floor(name):
    return next(number for number, names in enumerate(FLOORS) if name in names)


def imports(text, path):
    """The rooms of the host that a file at `path` with this text imports, wherever in the text, except for types alone."""
    for parts in imported(text, path):
        first, *rest = parts
        if first == "forensic_cli" and rest:
            name = forensic_cli._HOMES.get(rest[0], rest[0])
            if (HOST / name).is_dir() or (HOST / f"{name}.py").exists():
                yield name


def imported(text, path):
    """All that a file imports, as tuples of names; what is relative is resolved."""
    tree = ast.parse(text)
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in set(ast.walk(tree)) - for_types:
        match node:
            case ast.Import():
                yield from (tuple(alias.name.split(".")) for alias in node.names)
            case ast.ImportFrom():
                base = absolute("." * node.level + (node.module or ""), path)
                yield from ((*base, alias.name) for alias in node.names)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(value=str(target)), *_]):
                if name in ("import_module", "__import__") and path not in BY_NAME:
                    yield absolute(target, path)


def absolute(name, path):
    """A dotted name, relative ones too, as the names that it consists of."""
    rest = name.lstrip(".")
    parts = tuple(rest.split(".")) if rest else ()
    level = len(name) - len(rest)
    above = package(path)
    return (*above[: len(above) - level + 1], *parts) if level else parts


SPELLINGS = [
    ("forensic_cli/hub.py", "from forensic_cli.engine.scan import scan", ["engine"]),
    ("forensic_cli/hub.py", "from forensic_cli import images, Batch", ["detector", "images"]),
    ("forensic_cli/hub.py", "import os, forensic_cli.engine.scan as scan", ["engine"]),
    ("forensic_cli/hub.py", "import forensic_cli", []),
    ("forensic_cli/hub.py", "def late():\n    from forensic_cli import cli", ["cli"]),
    ("forensic_cli/hub.py", "from .engine import scan", ["engine"]),
    ("forensic_cli/hub.py", "from . import engine", ["engine"]),
    ("forensic_cli/engine/scan.py", "from .loading import load", ["engine"]),
    ("forensic_cli/engine/scan.py", "from ..commands.scan import scan", ["commands"]),
    ("forensic_cli/engine/scan.py", "from .. import cli", ["cli"]),
    ("forensic_cli/engine/__init__.py", "from ..commands import scan", ["commands"]),
    ("forensic_cli/engine/__init__.py", "from . import scan", ["engine"]),
    ("forensic_cli/hub.py", "if TYPE_CHECKING:\n    import forensic_cli.cli", []),
    ("forensic_cli/hub.py", "if typing.TYPE_CHECKING:\n    from .engine import scan", []),
    ("forensic_cli/hub.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import forensic_cli.cli", ["cli"]),
    ("forensic_cli/hub.py", "if not TYPE_CHECKING:\n    import forensic_cli.cli", ["cli"]),
    ("forensic_cli/hub.py", "importlib.import_module('forensic_cli.engine.scan')", ["engine"]),
    ("forensic_cli/hub.py", "import_module('.engine', 'forensic_cli')", ["engine"]),
    ("forensic_cli/hub.py", "__import__('forensic_cli.cli')", ["cli"]),
    ("forensic_cli/hub.py", "importlib.import_module('onnxruntime')", []),
    ("forensic_cli/offers.py", "importlib.import_module('forensic_cli.engine')", []),
    ("forensic_cli/plugins.py", "import forensic_cli.engine", ["engine"]),
    ("plugins/forensic_detectors/x/__init__.py", "from . import engine\nfrom .cli import run", []),
    ("plugins/forensic_detectors/x/y.py", "from forensic_cli.engine import scan", ["engine"]),
]


def test_imports_are_seen_however_they_are_written(subtests):
    for place, text, rooms in SPELLINGS:
        with subtests.test(place=place, text=text):
            assert sorted(imports(text, ROOT / place)) == rooms


def test_imports_point_down(subtests):
    for path in MODULES:
        here = room(path)
        for there in set(imports(path.read_text(), path)):
            shared = {here, there} <= {"commands", "progress"}
            with subtests.test(path=str(path.relative_to(HOST))):
                assert there == here or floor(there) < floor(here) or shared, f"{here} imports {there}"


def test_every_room_has_a_floor():
    rooms = {room(path) for path in HOST.rglob("*.py")} - {"__init__"}
    assert rooms == set().union(*FLOORS)


def test_guests_do_not_import_the_engine_or_commands(subtests):
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        with subtests.test(path=str(path.relative_to(ROOT))):
            assert not {"engine", "commands", "cli", "plugins"} & set(imports(path.read_text(), path))
            assert "plugins" not in {names[0] for names in imported(path.read_text(), path)}


DETECTORS = ROOT / "plugins" / "forensic_detectors"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {tuple(name.split(".")) for name in PROJECT["entry-points"]["forensic.detectors"].values()}


def owner(names):
    """The detector's module that a dotted name lies in; none for what the modules of one folder share."""
    return next((names[:end] for end in range(len(names), 0, -1) if names[:end] in OURS), None)


def siblings(text, path):
    """What a file of one detector imports of another's."""
    own = (*package(path), *([] if path.stem == "__init__" else [path.stem]))
    for names in imported(text, path):
        if names[0] == own[0] and (names[1] != own[1] or owner(names) not in (None, owner(own))):
            yield ".".join(names)


@pytest.mark.parametrize(
    ("place", "text", "found"),
    [
        (
            "commfor/__init__.py",
            "from forensic_detectors.baselines.npr import Npr",
            ["forensic_detectors.baselines.npr.Npr"],
        ),
        ("baselines/npr.py", "from . import safe", ["forensic_detectors.baselines.safe"]),
        ("baselines/npr.py", "from forensic_detectors.rigid import Rigid", ["forensic_detectors.rigid.Rigid"]),
        ("rigid.py", "import forensic_detectors.baselines.probe", ["forensic_detectors.baselines.probe"]),
        ("baselines/univfd.py", "from forensic_detectors.baselines.probe import probe", []),
        ("commfor/training.py", "from forensic_detectors.commfor import building, Commfor", []),
    ],
)
def test_siblings_are_seen(place, text, found):
    assert list(siblings(text, DETECTORS / place)) == found


def test_no_detector_imports_a_sibling():
    """What two of them share lies in the host, one floor down."""
    for path in DETECTORS.rglob("*.py"):
        assert not list(siblings(path.read_text(), path)), path


def test_functions_and_files_are_small():
    for path in (*HOST.rglob("*.py"), *(ROOT / "plugins").rglob("*.py")):
        text = path.read_text()
        assert text.count("\n") <= 300, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (path, node.name) != LONG:
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


def test_the_default_scan_does_not_import_torch(photo_folder):
    modules, out = loaded("scan", str(photo_folder))
    assert len(out.splitlines()) == 6
    assert not {"torch", "transformers", "c2pa", "pyarrow"} & modules


LIGHT = [path for path in MODULES if room(path) not in ("features", "engine", "__main__")]


def test_each_module_imports_alone_without_a_warning():
    """One interpreter: before each module it forgets all of ours, so that every one is the first."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in LIGHT]
    code = (
        "import sys, traceback\n"
        "for name in sys.argv[1:]:\n"
        "    for one in [one for one in sys.modules if one.startswith('forensic')]:\n"
        "        del sys.modules[one]\n"
        "    try:\n"
        "        __import__(name)\n"
        "    except BaseException:\n"
        "        print(name, traceback.format_exc())\n"
        "print('tried', len(sys.argv) - 1)"
    )
    command = [sys.executable, "-W", "error", "-c", code, *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.stderr) == (f"tried {len(names)}\n", "")


def test_public_names():
    assert sorted(forensic_cli.__all__) == sorted(forensic_cli._HOMES)
    for name in forensic_cli.__all__:
        assert getattr(getattr(forensic_cli, name), "__name__", "hookimpl") == name
    with pytest.raises(AttributeError):
        forensic_cli.nothing  # noqa: B018
