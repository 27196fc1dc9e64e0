import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest

from forensic_cli import options
from forensic_cli.errors import UsageError
from forensic_cli.records import Weights
from loops import each


@dataclass(frozen=True)
class Options:
    weights: Annotated[Weights, "the network"] = Weights(
        "owner/name", revision="abc", licence="MIT", bytes=5, sha256={"a": "b"}
    )
    size: Annotated[int, "pixels"] = 224
    ratio: float = 0.1
    kind: Literal["one", "two"] = "one"
    steps: tuple[int, ...] = (1, 2)
    deep: bool = False
    limit: int | None = None
    trust: Path | None = None

    def __post_init__(self):
        if self.size < 1:
            raise ValueError("size must be at least 1")


def test_every_type_is_read(tmp_path):
    file = tmp_path / "list.pem"
    file.write_text("x")
    typed = {
        "size": "512",
        "ratio": "1e-3",
        "kind": "two",
        "steps": "3, 4",
        "deep": "yes",
        "limit": "7",
        "trust": str(file),
    }
    made = options.build(Options, typed, "demo")
    assert (made.size, made.ratio, made.kind, made.steps, made.deep, made.limit) == (512, 1e-3, "two", (3, 4), True, 7)
    assert made.trust == file
    assert options.paths_of(made) == [file]


def test_none_can_be_typed():
    assert options.build(Options, {"limit": "none"}, "demo").limit is None


@each(
    "settings, message",
    [
        ({"siez": "1"}, "demo has no option 'siez'; did you mean size?"),
        ({"size": "big"}, "demo.size=big"),
        ({"size": "0"}, "size must be at least 1"),
        ({"kind": "on"}, "did you mean one?"),
        ({"deep": "perhaps"}, "yes|no"),
        ({"trust": "/no/such/file"}, "no such file"),
        ({"ratio": "nan"}, "not a finite number"),
        ({"ratio": "inf"}, "not a finite number"),
        ({"ratio": "1e999"}, "not a finite number"),
    ],
)
def test_what_does_not_fit_is_told(settings, message):
    with pytest.raises(UsageError, match=message.replace("|", r"\|").replace("?", r"\?")):
        options.build(Options, settings, "demo")


def test_other_weights_are_not_held_to_the_default_bytes():
    made = options.build(Options, {"weights": "/tmp/mine"}, "demo").weights
    assert (made.source, made.revision, made.licence, made.bytes, dict(made.sha256)) == (
        "/tmp/mine",
        None,
        "unknown",
        None,
        {},
    )


def test_a_revision_may_be_typed():
    made = options.build(Options, {"weights": "someone/else@123abc"}, "demo").weights
    assert (made.source, made.revision) == ("someone/else", "123abc")


def test_options_describe_themselves():
    described = {one.name: one for one in options.options_of(Options)}
    assert described["size"].help == "pixels"
    assert described["kind"].values == "one|two"
    assert described["limit"].values == "a whole number or none"


def test_options_are_json():
    assert json.loads(json.dumps(options.to_json(Options())))["weights"] == "owner/name"


def test_weights_are_found_inside_tuples():
    @dataclass(frozen=True)
    class Several:
        parts: tuple[Weights, ...] = (Weights("a/b"), Weights("c/d"))

    assert [one.source for one in options.weights_of(Several())] == ["a/b", "c/d"]


def test_defaults_can_be_typed_back():
    for option in options.options_of(Options):
        text = options.typed(option.default)
        if option.name != "weights":
            assert getattr(options.build(Options, {option.name: text}, "demo"), option.name) == option.default


def test_a_folder_with_an_at_sign_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models@v2").mkdir()
    assert options.build(Options, {"weights": "models@v2"}, "demo").weights.source == "models@v2"
