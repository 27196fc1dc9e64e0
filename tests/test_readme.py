"""The README says what is true."""

import re
import shlex
from pathlib import Path

from forensic_cli import hookspecs
from forensic_cli.cli import run
from forensic_cli.entries import DETECTORS, installed
from forensic_cli.images import MAX_BYTES, MAX_PIXELS
from forensic_cli.status import Status
from loops import each

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_sample_detector_is_the_example():
    (sample,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert sample == (ROOT / "plugins" / "example" / "forensic_saturation.py").read_text()


def test_every_hook_is_documented_with_its_arguments():
    for name, hook in vars(hookspecs).items():
        if name.startswith("register_"):
            arguments = ", ".join(hook.__code__.co_varnames[: hook.__code__.co_argcount])
            assert f"`{name}({arguments})`" in README


def test_every_detector_is_listed():
    for entry in installed(DETECTORS):
        if entry.distribution == "forensic-cli":
            assert f"| `{entry.name}` |" in README


def test_exit_statuses():
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)} == {
        status.value for status in Status
    }


def test_limits():
    assert f"more than {MAX_PIXELS // 10**6} megapixels or {MAX_BYTES >> 30} GiB" in README


def commands():
    """Every `forensic` line of a shell block, without comments and pipes."""
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL):
        for line in block.splitlines():
            for part in line.split("|"):
                words = shlex.split(part, comments=True)
                if words[:1] == ["forensic"] and "$(" not in part:
                    yield words[1:]


@each("words", commands())
def test_options_in_commands_exist(words, capsys):
    """Each option that is shown is one that the command's help knows."""
    command = words[:2] if words[0] == "weights" else words[:1]
    assert run([*command, "--help"]) == Status.DONE
    text = capsys.readouterr().out
    for word in words:
        if word.startswith("-") and len(word) > 1:
            assert re.search(rf"(^|\s){re.escape(word)}\b", text), f"{word} is no option of {command}"


def test_no_place_of_this_machine_is_named():
    for path in [ROOT / "README.md", *(ROOT / "forensic_cli").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        assert "/work/" not in path.read_text()
