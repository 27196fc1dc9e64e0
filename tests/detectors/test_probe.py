"""A probe: packed encoders, heads, trainings as a user types them, and what comes with the tool."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_sample_images
from typer.testing import CliRunner

import forensic_detectors.probe as probe
from clip_models import save_clip, save_quantised, tower
from forensic_cli import Batch, Session, Weights, options, profiles
from forensic_cli.classifier import Look
from forensic_cli.cli import run
from forensic_cli.contract import Subject, check, ignores_the_batch
from forensic_cli.errors import WeightsError
from forensic_cli.features.encoders import encoder
from forensic_cli.records import ImageRef
from forensic_cli.status import Status
from forensic_detectors.probe import fitting, head, packing
from forensic_detectors.probe.parts import evidence
from forensic_detectors.probe.recipes import Recipe

FILES = ("*.json", "*.safetensors", "graph.*")


def pictures(number=12, side=32):
    parts = load_sample_images().images
    return np.stack([parts[n % 2][13 * n : 13 * n + side, 17 * n : 17 * n + side] for n in range(number)])


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Three of four blocks of a tiny CLIP."""
    folder = tmp_path_factory.mktemp("packed")
    packing.pack(tower(), folder, 3, pictures())
    return folder


def opened(folder, **session):
    return encoder(Session(offline=True, **session), weights=Weights(str(folder), files=FILES))


def nearness(one, other):
    """The cosine of tokens less their mean over the pictures, at the worst."""
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    return np.min((one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1))


@pytest.fixture(scope="module")
def exact(tmp_path_factory):
    return opened(save_clip(tmp_path_factory.mktemp("clip")))(pictures())[:, :3]


def test_packed_weights_stand_for_the_first_blocks(packed, exact, tmp_path):
    plain = tmp_path / "plain"
    shutil.copytree(packed, plain, ignore=lambda *_: ["graph.onnx"])
    found = opened(plain)
    assert found.provider == "torch cpu"
    assert nearness(found(pictures()), exact) > 0.995
    assert load_file(packed / "model.safetensors")[next(iter(names(packed, "q_proj.weight")))].dtype == np.int8


def names(folder, end):
    return (name for name in load_file(folder / "model.safetensors") if name.endswith(end))


def test_the_graph_does_the_same_in_eight_bits(packed, exact):
    found = opened(packed)
    assert found.provider == "CPUExecutionProvider"
    assert found(pictures()).shape == (12, 3, 2, 64)
    assert nearness(found(pictures()), exact) > 0.97


def test_what_the_graph_sees_does_not_depend_on_the_batch(packed):
    run_, seen = opened(packed), pictures()
    assert np.array_equal(run_(seen)[3:5], run_(seen[3:5]))


def test_a_quantised_file_is_made_float_again(tmp_path):
    model = tower()
    save_quantised(tmp_path / "tower.onnx", model)
    found = packing.tower_of(tmp_path / "tower.onnx")
    assert found.config.num_hidden_layers == 4
    for (name, one), (other_name, other) in zip(model.state_dict().items(), found.state_dict().items(), strict=True):
        assert name == other_name
        assert torch.allclose(one, other, atol=float(one.abs().max()) / 127)


def test_packing_as_a_user_types_it(tmp_path):
    from typer import Typer

    app = Typer()
    app.command()(packing.main)
    source, target = save_clip(tmp_path / "clip", num_attention_heads=1), tmp_path / "packed"
    done = CliRunner().invoke(app, [str(source), "-o", str(target), "--blocks", "2"])
    assert done.exit_code == 0, done.output
    assert {file.name for file in target.iterdir()} == {
        "config.json",
        "graph.onnx",
        "model.safetensors",
        "preprocessor_config.json",
    }
    assert opened(target)(pictures(2)).shape == (2, 2, 2, 64)
    for arguments, words in (
        ([str(source), "-o", str(target), "--blocks", "9"], "--blocks 9: the encoder has 4"),
        ([str(tmp_path / "none.onnx"), "-o", str(target)], "cannot be read as ONNX"),
        ([str(source), "-o", str(target), "--blocks", "2", "--pictures", str(target)], "no picture below"),
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2
        assert words in done.output
        assert done.output.count("\n") == 1


READING = head.Reading("clip", "00", Look(32, resize=32), (1, 3), (2,))


def layers(width=192, hidden=5):
    random = np.random.default_rng(0)
    shapes = ((hidden, width), (2, hidden))
    return tuple((random.normal(size=shape), random.normal(size=shape[0])) for shape in shapes)


def test_a_head_reads_the_tokens_that_it_names():
    tokens = np.random.default_rng(1).normal(size=(4, 3, 2, 64))
    features = READING.features(tokens)
    assert np.array_equal(features, np.concatenate([tokens[:, 0, 0], tokens[:, 2, 0], tokens[:, 1, 1]], axis=1, dtype="f4"))
    with pytest.raises(WeightsError, match="has 2 blocks, and block 3 is to be read"):
        READING.features(tokens[:, :2])
    network = torch.nn.Sequential(torch.nn.Linear(192, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2)).double()
    with torch.no_grad():
        for layer, (weight, bias) in zip((network[0], network[2]), layers(), strict=True):
            layer.weight.copy_(torch.from_numpy(weight))
            layer.bias.copy_(torch.from_numpy(bias))
    expected = network(torch.from_numpy(features).double()).detach().numpy()
    np.testing.assert_allclose(head.Head(READING, layers())(features), expected)


def test_a_head_comes_back_as_it_was_written(tmp_path):
    written = head.Head(READING, layers())
    written.write(tmp_path)
    found = head.read(tmp_path)
    assert found.reading == READING
    features = np.random.default_rng(2).normal(size=(3, 192)).astype(np.float32)
    np.testing.assert_allclose(found(features), written(features), rtol=0.01, atol=0.05)  # stored in half precision


def test_standardised_layers_are_folded():
    mean, std = np.full(192, 3.0), np.full(192, 0.5)
    features = np.random.default_rng(3).normal(3, 0.5, (4, 192))
    plain = head.Head(READING, layers())((features - mean) / std)
    np.testing.assert_allclose(head.Head(READING, head.folded(layers(), mean, std))(features), plain)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "cannot be read"),
        (lambda folder: edit(folder, schema="forensic/probe/0"), "train one anew"),
        (lambda folder: edit(folder, classes=["a"]), "classes[0] is 'a', not a whole number"),
        (lambda folder: edit(folder, classes=[], means=[]), "it reads no token"),
        (lambda folder: edit(folder, look=None), "look is None, not an object"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x"), "cannot be read as safetensors"),
        (lambda folder: save_file({"a": np.zeros(3)}, folder / "model.safetensors"), "holds no layers of a probe"),
    ],
    ids=["absent", "schema", "blocks", "nothing", "look", "damaged", "other"],
)
def test_what_is_no_head_is_one_line(tmp_path, change, words):
    head.Head(READING, layers()).write(tmp_path)
    change(tmp_path)
    with pytest.raises(WeightsError) as caught:
        head.read(tmp_path)
    assert words in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def edit(folder, **changes):
    value = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(value))


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("kind", ["mlp", "logistic", "svm"])
def test_what_can_be_told_apart_is_told_apart(kind, views):
    """Two directions, one for each answer, under noise."""
    random = np.random.default_rng(0)
    generated, handmade = np.arange(400) % 2 == 0, np.arange(400) % 4 == 1
    features = random.normal(size=(400, views, 12)).astype(np.float32)
    features[..., 0] += 3 * generated[:, None]
    features[..., 1] += 3 * handmade[:, None]
    recipe = Recipe(head=kind, hidden=16, members=2, epochs=20, lr=0.02, strength=1.0)
    steps = []
    found = fitting.fit(features, generated, handmade, np.ones(400), recipe, 0, lambda *told: steps.append(told))
    answers = head.Head(READING, found)(features[:, 0])
    assert answers[generated, 0].mean() > 1 > -1 > answers[~generated, 0].mean()
    assert answers[handmade, 1].mean() > answers[~handmade, 1].mean() + 1
    again = fitting.fit(features, generated, handmade, np.ones(400), recipe, 0, lambda *told: None)
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(found, again, strict=True))
    assert bool(steps) == (kind == "mlp")


def test_members_side_by_side_answer_their_mean():
    random = np.random.default_rng(0)
    members = [
        tuple((random.normal(size=shape), random.normal(size=shape[0])) for shape in ((4, 192), (2, 4))) for _ in range(3)
    ]
    features = random.normal(size=(5, 192))
    together = head.Head(READING, fitting._side_by_side(members))(features)
    np.testing.assert_allclose(together, np.mean([head.Head(READING, one)(features) for one in members], axis=0))


def test_a_single_layer_beside_a_hidden_one_answers_the_weighted_mean():
    random = np.random.default_rng(0)
    single = random.normal(size=(2, 192)), random.normal(size=2)
    features = random.normal(size=(5, 192))
    joined = head.Head(READING, fitting._joined(layers(), single, 0.3))(features)
    expected = 0.7 * head.Head(READING, layers())(features) + 0.3 * head.Head(READING, (single,))(features)
    np.testing.assert_allclose(joined, expected)


def test_the_evidence_lies_where_the_score_comes_from():
    image = np.zeros((140, 280, 3), np.uint8)
    image[:70, 70:140] = 200
    found = evidence(image, 32, lambda crops: crops.mean(axis=(1, 2, 3)) / 100 - 1)
    assert found.shape == (8, 16)
    assert np.isnan(found[:, :4]).all()  # beside the square that the score looks at
    assert np.isnan(found[:, 12:]).all()
    inside = found[:, 4:12]
    assert inside[0, 0] == pytest.approx(1, abs=0.05)
    assert inside[:, 7] == pytest.approx(np.full(8, -1), abs=0.05)
    assert np.argmax(inside) == 0


@pytest.mark.parametrize("shape", [(40, 4000, 3), (1, 1, 3), (3, 50, 3), (600, 700, 3)], ids=str)
def test_pictures_of_any_shape_have_evidence(shape):
    asked = []
    found = evidence(np.zeros(shape, np.uint8), 8, lambda crops: (asked.append(len(crops)), np.zeros(len(crops)))[1])
    assert asked == [25]
    assert np.nanmax(np.abs(found)) == 0


GENERATORS = ("sdxl", "Midjourney", "flux")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Parts of two photographs, the same enlarged from a third of their pixels, and drawings, of three sources."""
    folder = tmp_path_factory.mktemp("data")
    photographs = [Image.fromarray(image) for image in load_sample_images().images]
    for number, (generator, index) in enumerate((one, n) for one in GENERATORS for n in range(10)):
        left, top = 37 * number % 500, 29 * number % 330
        part = photographs[number % 2].crop((left, top, left + 90 + number, top + 80))
        flat = part.quantize(4).convert("RGB")
        for label, picture in (("real", part), ("fake", part.resize((30, 27)).resize(part.size)), ("handmade", flat)):
            place = folder / generator / label
            place.mkdir(parents=True, exist_ok=True)
            picture.save(place / f"{index}.png")
    return folder


def trained(data, folder, packed, *more):
    quick = ["--set", f"probe.encoder={packed}", "--set", "probe.classes=1,3", "--set", "probe.means=2"]
    quick += ["--set", "probe.hidden=8", "--set", "probe.members=2", "--set", "probe.views=2", "--device", "cpu"]
    return run(["train", "probe", str(data), "-o", str(folder), *quick, *more])


@pytest.fixture(scope="module")
def fitted(data, packed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "probe"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORENSIC_CACHE", str(tmp_path_factory.mktemp("cache")))
        assert trained(data, folder, packed, "--set", "probe.folds=2") == Status.DONE
    return folder


def test_a_training_leaves_everything_that_a_scan_needs(fitted):
    assert {path.name for path in fitted.iterdir()} >= {
        *("config.json", "model.safetensors", "training.json"),
        *("README.md", "metrics.json", "calibration.json"),
    }
    record = json.loads((fitted / "training.json").read_text())
    assert 0 <= record["folds"]["auroc_native"] <= 1
    card = (fitted / "README.md").read_text()
    assert "forensic train probe" in card
    assert "- classes: [1, 3]" in card


def scanned(fitted, packed, place, target, *more):
    asked = ["-m", "probe", "--weights", f"probe={fitted}", "--set", f"probe.encoder={packed}", "--no-store"]
    status = run(["scan", str(place), *asked, "-o", str(target), *more])
    return status, json.loads(target.read_text()) if target.exists() else None


def test_a_scan_uses_it(fitted, packed, data, tmp_path):
    (tmp_path / "maps").mkdir()
    status, report = scanned(fitted, packed, data / "flux", tmp_path / "r.json", "--heatmaps", str(tmp_path / "maps"))
    assert status == Status.DONE
    rows = {row["path"]: row["findings"][0] for row in report["files"]}
    assert len(rows) == 30
    assert all(row["score"] is not None and row["unlike"] is not None and row["heatmap"] for row in rows.values())
    assert report["run"]["calibration"]["methods"]["probe"]["sources"] == 1


def test_the_same_training_again_has_nothing_left_to_do(fitted, packed, data, capfd, monkeypatch):
    before = {path.name: path.stat().st_mtime_ns for path in fitted.iterdir()}
    assert trained(data, fitted, packed, "--set", "probe.folds=2") == Status.DONE
    assert "is finished: nothing is left to train or measure" in capfd.readouterr().err
    assert before == {path.name: path.stat().st_mtime_ns for path in fitted.iterdir()}


def test_images_are_looked_at_once(data, packed, tmp_path, monkeypatch):
    from forensic_cli.features.encoders.onnx import OnnxEncoder

    looked = []
    plain = OnnxEncoder.__call__
    monkeypatch.setattr(OnnxEncoder, "__call__", lambda self, crops: (looked.append(len(crops)), plain(self, crops))[1])
    assert trained(data, tmp_path / "one", packed, "--holdout", "0") == Status.DONE
    assert sum(looked) == 1 + 180  # a blank one, to see how many blocks there are, and 90 images in two forms
    looked.clear()
    assert trained(data, tmp_path / "two", packed, "--holdout", "0", "--set", "probe.head=logistic") == Status.DONE
    assert looked == [1]


def test_another_encoder_is_refused_in_one_line(fitted, packed, data, tmp_path, capfd):
    other = save_clip(tmp_path / "other", hidden_size=32)
    status, _ = scanned(fitted, other, data / "flux", tmp_path / "r.json")
    err = capfd.readouterr().err
    assert status == Status.USAGE
    assert f"reads another encoder than {other}: it was fitted to {packed}" in err
    assert "Traceback" not in err


FOLDER = Path(probe.__file__).parent


def test_what_comes_with_the_tool_is_small_enough():
    assert sum(file.stat().st_size for file in (FOLDER / "clip").iterdir()) <= 70_000_000
    assert sum(file.stat().st_size for file in (FOLDER / "eye").iterdir()) <= 8_000_000


def test_it_keeps_its_promises(fitted, packed):
    check(probe.Probe, weights=fitted, encoder=packed)


def test_eight_bits_answer_alone_as_among_others():
    """The one promise that another size of the network may break."""
    ignores_the_batch(Subject(probe.Probe, {}))


def test_what_it_is_calibrated_and_measured_on_was_never_trained_on():
    record = json.loads((FOLDER / "eye" / "training.json").read_bytes())
    profile = profiles.read(FOLDER / "eye" / profiles.CALIBRATION)
    assert set(profile.photographs.origin) | set(profile.generated.origin) <= set(record["held_out_sources"])
    (known,) = profile.methods.values()
    measured = json.loads((FOLDER / "eye" / "metrics.json").read_bytes())
    assert measured["thresholds"] == {f"{rate:g}": score for rate, score in known.verdict_thresholds.items()}


def test_both_runtimes_agree_on_the_score():
    """Eight bits cost little of the spread of the scores of photographs."""
    chosen = options.build(probe.Probe.Options, {}, "probe")
    batch_of = load_sample_images().images
    parts = [batch_of[n % 2][20 * n : 20 * n + 260, 30 * n : 30 * n + 300] for n in range(8)]
    refs = [ImageRef(str(n), f"{n:064x}", 1, "PNG", 300, 260) for n in range(8)]
    by_onnx, by_torch = (
        probe.Probe(session, chosen).score(Batch(session, refs, parts))
        for session in (Session(offline=True), Session(offline=True, dtype="bfloat16"))
    )
    profile = probe.Probe(Session(offline=True), chosen).calibration()
    (known,) = profile.methods.values()
    assert np.abs(by_onnx - by_torch).max() < 0.35 * np.std(known.photographs)


def test_the_default_scan_runs_it_and_says_what_is_missed(photo_folder, tmp_path, capsys):
    assert run(["scan", str(photo_folder), "-o", str(tmp_path / "scan.json")]) == Status.DONE
    err = capsys.readouterr().err
    assert "forensic weights pull commfor (87 MB, MIT)" in err
    assert "at most 5 in 100 photographs are called generated; of generated images never seen before 7 in 10 are" in err
    report = json.loads((tmp_path / "scan.json").read_text())
    assert {one["name"]: one["provider"] for one in report["run"]["methods"]} == {
        "provenance": None,
        "probe": "CPUExecutionProvider",
    }
    assert all(row["verdict"]["label"] != "generated" for row in report["files"])


def test_a_drawing_is_told_to_be_none(tmp_path):
    picture = Image.new("RGB", (400, 300), "white")
    draw = ImageDraw.Draw(picture)
    for number in range(12):
        draw.rectangle((20 + 30 * number, 280 - 20 * number, 40 + 30 * number, 280), fill=(40, 90, 200), outline="black")
        draw.text((20 + 30 * number, 10), str(number), fill="black")
    picture.save(tmp_path / "plot.png")
    assert run(["scan", str(tmp_path / "plot.png"), "-o", str(tmp_path / "r.json")]) == Status.DONE
    (row,) = json.loads((tmp_path / "r.json").read_text())["files"]
    assert row["verdict"]["label"] == "inconclusive"
    assert "no photograph but a picture made by hand" in row["verdict"]["reason"]


def test_the_figures_are_told_where_people_look(capsys):
    assert run(["methods", "probe"]) == Status.DONE
    out = capsys.readouterr().out
    measured = json.loads((FOLDER / "eye" / "metrics.json").read_bytes())
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for name, one in measured["conditions"].items():
        assert f"AUROC {one['auroc']:.3f}" in out
        if name != "jpeg:90":
            low, high = one["auroc_interval"]
            recall = f"{one['tpr_at_fpr_0.05']:.0%}, {one['tpr_at_fpr_0.01']:.0%}".replace("%", " %")
            assert f"| {one['auroc']:.3f} ({low:.3f} to {high:.3f}) | {recall} |" in readme
    for row in measured["families"]:
        assert row["family"] in out
