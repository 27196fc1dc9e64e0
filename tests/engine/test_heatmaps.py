"""Overlays: what they show lies where it was found; what goes wrong with them costs no score."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from forensic_cli.contract import check
from forensic_cli.detector import Batch, Detector, Session
from forensic_cli.engine.heatmaps import Heatmaps, prepare
from forensic_cli.engine.methods import Method
from forensic_cli.engine.overlays import Caption, overlay
from forensic_cli.errors import PluginError, ReportError, UsageError
from forensic_cli.paths import Candidate
from forensic_cli.records import Finding, ImageRef, MethodUse, Skipped
from pictures import photo

CAPTION = Caption("toy", 1.5, 4.0, "log-odds")
GREY = np.full((600, 800, 3), 128, np.uint8)


def drawn(evidence, image=GREY, caption=CAPTION):
    """The overlay without its legend, as signed numbers: (height, width, 3)."""
    picture = overlay(image, np.asarray(evidence, np.float32), caption)
    return np.asarray(picture).astype(int)[: image.shape[0], : image.shape[1]]


def redness(pixels):
    return pixels[..., 0] - pixels[..., 2]


def test_colours_lie_where_the_evidence_is():
    """Orange for positive, blue for negative, grey for none, stronger for more; the cell at the right place."""
    evidence = np.zeros((6, 8))
    evidence[1, 2], evidence[4, 6], evidence[3, 0] = 4, -4, 2
    red = redness(drawn(evidence))
    assert np.unravel_index(red.argmax(), red.shape) == pytest.approx((150, 250), abs=1)
    assert np.unravel_index(red.argmin(), red.shape) == pytest.approx((450, 650), abs=1)
    assert red[150, 250] > 1.8 * red[350, 50] > 100
    assert abs(red[500:, :400]).max() <= 1


def test_between_cells_the_map_is_linear():
    """Against numpy's interpolation between the centres of the cells."""
    row = np.array([-3.0, 1.0, 2.0, -1.0])
    red = redness(drawn(row[None]))[300]
    centres = (np.arange(4) + 0.5) * 200
    value = np.interp(np.arange(800) + 0.5, centres, row)
    orange, blue = redness(drawn([[4.0]]))[0, 0], redness(drawn([[-4.0]]))[0, 0]
    expected = np.where(value > 0, orange, -blue) * value / 4
    np.testing.assert_allclose(red, expected, atol=3)


def test_stronger_than_the_scale_is_no_more_than_full_colour():
    np.testing.assert_array_equal(drawn([[4.0]]), drawn([[400.0]]))
    np.testing.assert_array_equal(drawn([[1.0]]), drawn([[0.25]], caption=Caption("toy", None, 1.0)))


def test_what_was_not_looked_at_is_hatched_grey_and_colours_do_not_fade_towards_it():
    evidence = np.full((4, 4), 4.0)
    evidence[:, 2:] = np.nan
    found = drawn(evidence)
    assert (redness(found[:, 400:]) == 0).all()
    lines = (found[:, 400:] > 200).all(axis=2)
    assert 0.05 < lines.mean() < 0.3
    assert (redness(found[:, :400]) == redness(found[0, 0])).all()
    assert not (drawn(np.zeros((4, 4))) > 200).any()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((800, 600), (800, 600)),
        ((5000, 2500), (2048, 1024)),
        ((100, 300), (100, 300)),
        ((60, 40), (480, 320)),
        ((1, 1), (512, 512)),
        ((20000, 3), (2048, 1)),
        ((3, 20000), (1, 2048)),
    ],
    ids=str,
)
def test_sizes(size, expected):
    """At most 2048 a side, small pictures enlarged by a whole factor, and below all of it a legend that fits."""
    width, height = size
    picture = overlay(np.full((height, width, 3), 255, np.uint8), np.zeros((2, 2), np.float32), CAPTION)
    pixels = np.asarray(picture)
    below = pixels[expected[1] :]
    assert (pixels[: expected[1], : expected[0]] > 150).all()
    assert picture.width == expected[0] or 0 < picture.width - expected[0] < 450
    assert 14 < len(below) <= 130
    assert (below[:, :4] < 40).all()
    assert (below[:, -4:] < 40).all()


def test_the_image_shows_through():
    image = np.asarray(photo(640, 480))
    found = drawn(np.full((2, 2), 4.0), image)
    grey = np.asarray(Image.fromarray(image).convert("L"))
    assert np.corrcoef(found.mean(axis=2).ravel(), grey.ravel())[0, 1] > 0.99


class Half(Detector):
    """The left half speaks for generated."""

    paper = "doi:1"
    cost = "nothing"

    def score(self, batch):
        return [float(image.mean()) for image in batch.images]

    def heatmaps(self, batch):
        return [self.map(image) for image in batch.images]

    def map(self, image):
        return np.array([[4, -4]], np.float32)


def variant(**changes):
    return type("Half", (Half,), {"__doc__": Half.__doc__, **changes})


def method(factory=Half, name="half"):
    return Method(name, factory(Session()), MethodUse(name, "dist", "1", {}, ()), "00" * 16)


def batch_of(*paths):
    refs = [ImageRef(path, f"{n:08x}" + 56 * "0", 1, "PNG", 60, 40) for n, path in enumerate(paths)]
    return Batch(Session(), refs, [np.full((40, 60, 3), 50 + n, np.uint8) for n in range(len(paths))])


def shown(folder, factory=Half, paths=("a.png", "b.png", "c.png"), **told):
    """The findings as they go into the report."""
    pictures, one, batch = Heatmaps(folder, [method(factory)], **told), method(factory), batch_of(*paths)
    findings = one.detector.examine(batch)
    pictures.draw(one, batch, findings)
    return [pictures.added(ref.sha256, {"half": found})["half"] for ref, found in zip(batch.refs, findings, strict=True)]


def test_a_picture_says_what_it_is(tmp_path):
    (found,) = shown(tmp_path, paths=["some/where/a boat.png"])
    assert found.heatmap == str(tmp_path / "a_boat_half_00000000.png")
    with Image.open(found.heatmap) as picture:
        assert picture.text == {
            "method": "half",
            "score": "50.0",
            "sha256": "0" * 64,
            "scale": "4 log-odds",
        }
        red = redness(np.asarray(picture).astype(int))
    assert red[160, 60] > 100 > -100 > red[160, 420]
    assert [one.name for one in tmp_path.iterdir()] == ["a_boat_half_00000000.png"]


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("dir/IMG_0001.v2.JPG", "IMG_0001.v2"),
        ("..hidden.png", "hidden"),
        ("---.png", "image"),
        ("a\nb\x1b[31m:*?.png", "a_b_31m"),
        ("e\u0301te\u0301.png", "été"),
        ("\udcff\udcfe.png", "xff_xfe"),
        ("猫" * 80 + ".png", "猫" * 40),
        ("-o=x.png", "o_x"),
        ("CON.png", "CON"),
    ],
)
def test_names_are_readable_and_safe(tmp_path, path, stem):
    (found,) = shown(tmp_path, paths=[path])
    assert found.heatmap == str(tmp_path / f"{stem}_half_00000000.png")


def test_other_units_have_their_own_scale(tmp_path):
    (found,) = shown(tmp_path, variant(heatmap_scale=0.05), ["a.png"])
    with Image.open(found.heatmap) as picture:
        assert picture.text["scale"] == "0.05"
    (found,) = shown(tmp_path, variant(heatmap_scale=-1), ["a.png"])
    assert found.error == "heatmap: heatmap_scale is -1; expected a number above 0"
    assert found.score == 50


def third(act):
    """Shows maps, but for the image whose pixels are 51."""
    return variant(map=lambda self, image: act() if image.mean() == 51 else np.zeros((2, 2), np.float32))


def boom():
    raise RuntimeError("no\nmap")


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (boom, "RuntimeError: no map"),
        (lambda: exit(3), "SystemExit: 3"),
        (lambda: np.zeros(3), "a heatmap has the shape (3,); expected (height, width)"),
        (lambda: np.zeros((0, 3)), "a heatmap has the shape (0, 3); expected (height, width)"),
        (lambda: np.full((2, 2), np.inf), "a heatmap is infinite somewhere"),
        (lambda: np.full((2, 2), 1e300), "a heatmap is infinite somewhere"),
        (lambda: [["x"]], "ValueError"),
    ],
    ids=str,
)
def test_a_map_that_fails_costs_neither_its_score_nor_other_maps(tmp_path, act, message):
    traced = []
    found = shown(tmp_path, third(act), trace=traced.append)
    assert [one.score for one in found] == [50, 51, 52]
    assert [one.heatmap is not None for one in found] == [True, False, True]
    assert found[0].error is found[2].error is None
    assert found[1].error.startswith(f"heatmap: {message}")
    assert len(traced) == 1


def test_too_few_maps(tmp_path):
    found = shown(tmp_path, variant(heatmaps=lambda self, batch: []))
    assert {one.error for one in found} == {"heatmap: 0 heatmaps for 1 images"}


def test_memory_is_asked_for_again_with_fewer_images(tmp_path):
    """With several images the engine halves the batch; a single one says so."""
    hungry = variant(map=lambda self, image: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        shown(tmp_path, hungry)
    (found,) = shown(tmp_path, hungry, ["a.png"])
    assert (found.score, found.error) == (50, "heatmap: MemoryError")


def test_a_method_that_looked_nowhere_shows_nothing_and_says_so_once(tmp_path):
    said = []
    found = shown(tmp_path, variant(map=lambda self, image: np.full((1, 1), np.nan)), warn=said.append)
    assert all(one.heatmap is None and one.error is None for one in found)
    assert len(said) == 1
    assert said[0].startswith("half shows no heatmap of an image that it looked at no part of, like ")


def test_a_failed_finding_has_no_picture(tmp_path):
    pictures, batch = Heatmaps(tmp_path, [method()]), batch_of("a.png")
    finding = Finding("half", error="the score is nan")
    pictures.draw(method(), batch, [finding])
    assert pictures.added(batch.refs[0].sha256, {"half": finding}) == {"half": finding}
    assert not list(tmp_path.iterdir())


def test_a_full_disk_keeps_the_score(tmp_path, monkeypatch):
    def full(self, stream, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    found = shown(tmp_path)
    assert [one.score for one in found] == [50, 51, 52]
    assert {one.error for one in found} == {"heatmap: the disk is full: make room or name another place"}
    assert not list(tmp_path.iterdir())


def test_a_detector_of_the_file_is_drawn_over_the_decoded_image(tmp_path, jpeg):
    ref = ImageRef("a.jpg", "ab" * 32, len(jpeg), "JPEG", 640, 427)
    reader = variant(looks_at="file", heatmaps=lambda self, batch: [np.ones((1, 1), np.float32) for _ in batch.contents])
    pictures, batch = Heatmaps(tmp_path, [method(reader)]), Batch(Session(), [ref], (), [jpeg])
    finding = Finding("half", score=0.0)
    pictures.draw(method(reader), batch, [finding])
    with Image.open(pictures.added(ref.sha256, {"half": finding})["half"].heatmap) as picture:
        assert picture.width == 640


def test_without_a_folder_nothing_is_drawn():
    pictures = Heatmaps(None, [method()])
    assert not pictures.methods
    found = [Candidate("a.png", False, None)]
    assert list(pictures.besides(found)) == found


def test_pictures_met_on_the_way_are_left_out(tmp_path, monkeypatch):
    """By whatever name the folder goes; but what was typed is looked at."""
    monkeypatch.chdir(tmp_path)
    pictures = Heatmaps(tmp_path / "maps", [method()])
    met = [
        Candidate(path, named, None) for path in ("maps/a.png", "b/maps/a.png", "./maps/../maps/b.png") for named in (0, 1)
    ]
    kinds = [(one.path, type(one) is Skipped) for one in pictures.besides(met)]
    assert [path for path, skipped in kinds if skipped] == ["maps/a.png", "./maps/../maps/b.png"]
    assert len(kinds) == 6


def offer(factory, name):
    return SimpleNamespace(factory=factory, name=name)


def test_the_folder_is_made_and_the_others_are_named(tmp_path):
    assert prepare(tmp_path / "maps", [], [offer(Half, "half"), offer(Detector, "plain")]) == ["plain"]
    assert (tmp_path / "maps").is_dir()
    assert not list((tmp_path / "maps").iterdir())
    assert prepare(tmp_path / "maps", [], [offer(Half, "half")]) == []


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "shut").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    cases = {"file": "is a file", "no/maps": "there is no folder", "file/maps": "cannot be made", "link": "is a file"}
    for name, words in cases.items():
        with pytest.raises(UsageError, match=words):
            prepare(tmp_path / name, [], [offer(Half, "half")])
    with pytest.raises(UsageError, match="plain shows no heatmap: name a method that does"):
        prepare(tmp_path / "other", [], [offer(Detector, "plain")])
    with pytest.raises(UsageError, match="is itself scanned"):
        prepare(tmp_path / "shut", ["x.png", f"{tmp_path}/shut/../shut/"], [offer(Half, "half")])
    assert not (tmp_path / "other").exists()


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    def closed(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.open", closed)
    with pytest.raises(ReportError, match="no permission to write there"):
        prepare(tmp_path, [], [offer(Half, "half")])


def test_a_fair_detector_that_localises_keeps_its_promises():
    check(Half)


@pytest.mark.parametrize(
    ("map_of", "words"),
    [
        (lambda self, image: [[1.0]], "is list of shape"),
        (lambda self, image: np.zeros((2, 2), np.uint8), "is uint8 of shape"),
        (lambda self, image: np.zeros((2, 2, 1), np.float32), "expected an array of floats"),
        (lambda self, image: np.full((2, 2), -np.inf), "infinite"),
        (lambda self, image: np.random.default_rng().normal(size=(2, 2)), "differs"),
    ],
)
def test_the_promise_sees_maps_that_do_not_fit(map_of, words):
    with pytest.raises(PluginError, match=rf"maps_fit\): .*{words}"):
        check(variant(map=map_of))


def test_the_promise_sees_maps_that_depend_on_company():
    def sorted_by_order(self, batch):
        return [np.full((1, 1), float(number)) for number in range(len(batch))]

    with pytest.raises(PluginError, match=r"maps_fit"):
        check(variant(heatmaps=sorted_by_order))
    with pytest.raises(PluginError, match=r"5 heatmaps for 6 images"):
        check(variant(heatmaps=lambda self, batch: [np.zeros((1, 1))] * (len(batch) - 1)))


def test_all_nan_keeps_the_promise():
    check(variant(map=lambda self, image: np.full((1, 1), np.nan)))
