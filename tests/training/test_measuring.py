"""What a model card tells, from a network whose answer is known beforehand: the mean grey of what it is shown."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score
from training_pictures import grain

from forensic_cli import Detector, Session, profiles
from forensic_cli.datasets import Labelled
from forensic_cli.datasets.families import family
from forensic_cli.engine.measuring import CONDITIONS, by_generator, by_kind, measure, table
from forensic_cli.engine.methods import Method
from forensic_cli.engine.watching import Watch
from forensic_cli.errors import TrainingError
from forensic_cli.records import MethodUse
from forensic_cli.training.checking import scores as score
from forensic_cli.transforms import halve, jpeg, parse


class Grey(Detector):
    """Its answer is the mean of the image, in grey levels less 128."""

    def __init__(self):
        super().__init__(Session())

    def score(self, batch):
        return [image.mean() - 128 for image in batch.images]


class Unlike(Grey):
    """The same, and it takes what is bright for no photograph."""

    def unlike(self, batch):
        return [float(image.max()) for image in batch.images]


USE = MethodUse("grey", "forensic-grey", "1.0", {}, ())
LIMITS = {0.05: 33.5, 0.01: 40.0}


def measured(detector, known, unseen, watch=None):
    method = Method("grey", detector, USE, "key")
    return measure(method, detector.session, known, unseen, watch or Watch())


def item(path, kind="photograph", source="s", generator=""):
    return Labelled(str(path), kind.startswith("generated"), generator, source, kind)


def grey_file(folder, number, grey, suffix="png", size=(40, 40), **what):
    path = folder / f"{number}.{suffix}"
    Image.new("RGB", size, (grey,) * 3).save(path)
    return item(path, **what)


@pytest.fixture
def unseen(tmp_path):
    """120 photographs with greys 10 to 129, 60 generated images with 100 to 218, 12 drawings."""
    items = [grey_file(tmp_path, n, 10 + n, source=f"camera {n % 6}") for n in range(120)]
    items += [
        grey_file(tmp_path, 200 + n, 100 + 2 * n, kind="generated", source=f"g{n % 4}", generator=f"g{n % 4}")
        for n in range(60)
    ]
    return items + [grey_file(tmp_path, 300 + n, 200, kind="handmade: comic", source="comics") for n in range(12)]


def test_each_image_gets_the_score_of_the_detector(tmp_path):
    items = []
    for number, shape in enumerate([(32, 32), (40, 90), (100, 80), (7, 50), (200, 33)] * 7):
        Image.fromarray(grain(*shape, number)).save(tmp_path / f"{number}.png")
        items.append(item(tmp_path / f"{number}.png"))
    found = score(Grey(), items)
    assert found == pytest.approx([np.asarray(Image.open(one.path)).mean() - 128 for one in items])


@pytest.mark.parametrize("number", [1, 15, 16, 17, 40])
def test_what_cannot_be_read_has_no_score_and_takes_nobody_with_it(tmp_path, number):
    items = [grey_file(tmp_path, n, 3 * n) for n in range(number)]
    bad = [n for n in range(number) if n % 3 == 1]
    for n in bad:
        Path(items[n].path).write_bytes(b"broken" if n % 2 else b"")
    found = score(Grey(), items)
    assert np.flatnonzero(np.isnan(found)).tolist() == bad
    assert [found[n] for n in range(number) if n not in bad] == [3 * n - 128 for n in range(number) if n not in bad]


def test_of_nothing_there_are_no_scores(tmp_path):
    assert score(Grey(), []).shape == (0,)
    (tmp_path / "x.png").write_bytes(b"")
    assert np.isnan(score(Grey(), [item(tmp_path / "x.png")])).all()


def test_the_conditions_are_what_they_are_called():
    image = grain(120, 160, 0)
    shown = {name: parse(one)(image, 0) for name, one in CONDITIONS.items()}
    whole = (120, 160, 3)
    sizes = {name: one.shape for name, one in shown.items()}
    assert sizes == {"native": whole, "jpeg:90": whole, "jpeg:70": whole, "halved, jpeg:85": (60, 80, 3)}
    assert np.array_equal(shown["native"], image)
    assert np.array_equal(shown["jpeg:90"], jpeg(image, 90))
    assert np.array_equal(shown["halved, jpeg:85"], jpeg(halve(image), 85))
    away = {name: np.abs(shown[name].astype(int) - image).mean() for name in ("jpeg:90", "jpeg:70")}
    assert 0 < away["jpeg:90"] < away["jpeg:70"]


class Told(Watch):
    def __init__(self):
        super().__init__()
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def test_what_has_no_score_is_told_and_counts_nowhere(tmp_path, unseen):
    long = grey_file(tmp_path, 900, 50, size=(66_000, 1))  # too long for JPEG
    broken = grey_file(tmp_path, 901, 50)
    Path(broken.path).write_bytes(b"broken")
    watch = Told()
    found = measured(Grey(), unseen, [*unseen, long, broken], watch)
    assert [found.conditions[name]["n_real"] for name in ("native", "jpeg:90")] == [121, 120]
    assert [one.path for one in found.items] == [one.path for one in (*unseen, long)]
    assert any(broken.path in line for line in watch.lines)
    assert any(f"{long.path} [grey, jpeg:90]" in line for line in watch.lines)


def classes(items, scores):
    """Labels and scores of photographs and generated images, as scikit-learn wants them."""
    some = [n for n, one in enumerate(items) if one.label != "handmade" and np.isfinite(scores[n])]
    return [items[n].generated for n in some], [scores[n] for n in some]


def test_the_table_agrees_with_scikit_learn_and_leaves_out_what_was_made_by_hand(unseen):
    scores = score(Grey(), unseen)
    scores[[3, 130]] = np.nan
    limits = {0.05: float(np.sort(scores[:120][np.isfinite(scores[:120])])[-6]), 0.5: 0.0}
    found = table(unseen, scores, scores, limits)
    assert found["auroc"] == pytest.approx(roc_auc_score(*classes(unseen, scores)))
    assert found["ap"] == pytest.approx(average_precision_score(*classes(unseen, scores)))
    assert (found["n_real"], found["n_generated"]) == (119, 59)
    real, generated = scores[:120], scores[120:180]
    for rate, limit in (("0.05", limits[0.05]), ("0.5", 0.0)):
        expected = [np.sum(real > limit) / 119, np.sum(generated > limit) / 59]
        assert found["over"][rate] == pytest.approx(expected)
    for name in ("auroc", "ap", "tpr_at_fpr_0.01", "tpr_at_fpr_0.05"):
        low, high = found[f"{name}_interval"]
        assert 0 <= low <= found[name] <= high <= 1
    json.dumps(found, allow_nan=False)


def test_each_generator_against_all_photographs(unseen):
    scores = score(Grey(), unseen)
    few = [n for n in range(120, 180) if unseen[n].generator == "g3"][4:]  # leave it four images
    items = [one for n, one in enumerate(unseen) if n not in few]
    scores = np.delete(scores, few)
    real = scores[:120]
    limit = np.sort(real)[-7]  # six of 120 are five per cent
    rows = {row["generator"]: row for row in by_generator(items, scores, scores, {0.05: limit})}
    assert list(rows) == ["g0", "g1", "g2", "(all others)"]
    for name, row in rows.items():
        own = [
            n for n, one in enumerate(items) if one.generator == name or (name == "(all others)" and one.generator == "g3")
        ]
        assert row["n"] == len(own)
        expected = roc_auc_score([0] * 120 + [1] * len(own), [*real, *scores[own]])
        assert row["auroc"] == pytest.approx(expected)
        hits = int(np.sum(scores[own] > limit))
        assert row["over_0.05"] == hits / len(own)
        interval = binomtest(hits, len(own)).proportion_ci(method="exact")
        assert row["over_0.05_interval"] == pytest.approx([interval.low, interval.high], abs=1e-6)


def test_generated_images_without_a_generator_go_by_their_source():
    items = [item("a", source="x") for _ in range(5)] + [item("b", "generated", "blog") for _ in range(5)]
    assert [row["generator"] for row in by_generator(items, np.arange(10.0), np.arange(10.0), {})] == ["blog"]


def test_each_kind_of_picture_that_is_not_generated():
    kinds = (
        ["photograph"] * 30 + ["camera: X"] * 6 + ["handmade: comic"] * 10 + ["rare"] * 2 + ["odd"] * 3 + ["generated"] * 9
    )
    items = [item(str(n), kind) for n, kind in enumerate(kinds)]
    scores = np.arange(60.0)
    scores[0] = np.nan
    rows = by_kind(items, scores, LIMITS)
    assert [(row["kind"], row["n"]) for row in rows] == [
        ("photograph", 29),
        ("handmade: comic", 10),
        ("camera: X", 6),
        ("(all others)", 5),
    ]
    assert [row["over_0.05"] for row in rows] == [0, 1, 2 / 6, 1]
    assert [row["over_0.01"] for row in rows] == [0, 0.5, 0, 1]
    interval = binomtest(2, 6).proportion_ci(method="exact")
    assert rows[2]["over_0.05_interval"] == pytest.approx([interval.low, interval.high], abs=1e-6)


def test_everything_that_is_measured(tmp_path, unseen):
    known = [grey_file(tmp_path, 400 + n, 5, suffix="jpg", source="k") for n in range(40)]
    known += [grey_file(tmp_path, 500 + n, 5, kind="generated", source="k2", generator="k2") for n in range(40)]
    found = measured(Unlike(), known, unseen)
    assert list(found.conditions) == list(CONDITIONS)
    scores = score(Grey(), unseen)
    assert np.array_equal(found.scores, scores)
    limits = found.calibrated.verdict_thresholds
    assert list(limits) == [0.05, 0.1]  # 120 photographs cannot show 1 %
    strange = np.array([found.calibrated.stranger(score + 128) for score in scores])
    assert strange[:120].sum() == 1 < strange[120:].sum()
    judged = np.where(strange, -np.inf, scores)
    assert found.conditions["native"] == table(unseen, scores, judged, limits)
    for rate, limit in limits.items():
        over, _ = found.conditions["native"]["over"][f"{rate:g}"]
        assert over == np.mean(judged[:120] > limit) < rate  # a verdict is drawn with confidence
    assert found.generators == by_generator(unseen, scores, judged, limits)
    assert found.families == by_generator(unseen, scores, judged, limits, "family", family)
    assert found.kinds == by_kind(unseen, judged, limits)
    assert {row["kind"]: row["n"] for row in found.kinds} == {"photograph": 120, "handmade: comic": 12}
    assert found.zero_pixel == 0.5  # jpg against png while it learnt, png alone among the unseen
    text = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert text["photographs"] == {"number": 120, "sources": 6, "worth": found.calibrated.worth}
    assert list(text["thresholds"]) == ["0.05", "0.1"]


def test_the_control_sees_the_outside_of_the_files(tmp_path):
    def some(start):
        real = [grey_file(tmp_path, start + n, 100, suffix="jpg", source=f"c{n % 3}") for n in range(30)]
        fake = [grey_file(tmp_path, start + 50 + n, 100, kind="generated", source=f"g{n % 3}") for n in range(30)]
        return real + fake

    known, unseen = some(0), some(100)
    Path(known[0].path).write_bytes(b"")
    found = measured(Grey(), known, unseen)
    assert found.conditions["native"]["auroc"] == 0.5
    assert found.zero_pixel == 1.0
    assert measured(Grey(), known[:30], unseen).zero_pixel is None


def test_the_scores_of_photographs_are_kept_for_calibration(unseen, tmp_path):
    scores = score(Grey(), unseen)
    measured(Unlike(), unseen, unseen).profile("grey", "forensic train grey", 7).write(tmp_path / "calibration.json")
    found = profiles.read(tmp_path / "calibration.json")
    assert list(found.methods["grey"].photographs) == sorted(round(float(one), 4) for one in scores[:120])
    assert found.photographs.origin == tuple(f"camera {n}" for n in range(6))
    assert (found.photographs.number, found.generated.number, found.seed) == (120, 60, 7)
    assert found.methods["grey"].unlike == tuple(float(grey) for grey in range(10, 130))
    assert (found.methods["grey"].distribution, found.methods["grey"].version) == ("forensic-grey", "1.0")


@pytest.mark.parametrize(("lost", "words"), [(False, "photographs"), (True, "generated images")])
def test_where_a_class_cannot_be_read_nothing_is_measured(tmp_path, lost, words):
    items = [grey_file(tmp_path, n, n, kind="generated" if n % 2 else "photograph") for n in range(20)]
    for one in items:
        if one.generated == lost:
            Path(one.path).write_bytes(b"broken")
    with pytest.raises(TrainingError) as caught:
        measured(Grey(), items, items)
    assert str(caught.value) == f"none of the {words} held out could be read and scored, so nothing can be measured"


class Nan(Grey):
    def score(self, batch):
        return [float("nan")] * len(batch)


def test_a_detector_without_numbers_is_not_measured(unseen):
    with pytest.raises(TrainingError, match="nothing can be measured"):
        measured(Nan(), unseen, unseen)
