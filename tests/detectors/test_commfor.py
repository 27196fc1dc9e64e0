"""Community Forensics' classifiers as published, and the networks that are trained in their place."""

import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.transforms import v2

from forensic_cli import Batch, Session, images, options
from forensic_cli.classifier import IMAGENET_MEAN, IMAGENET_STD, Classifier, Look
from forensic_cli.cli import run
from forensic_cli.errors import TrainingError, WeightsError
from forensic_cli.features.architectures import fold, make
from forensic_cli.records import ImageRef
from forensic_detectors.commfor import MODEL_384, PUBLISHED_384, Commfor, Commfor224, building
from forensic_detectors.commfor.recipes import LiteRecipe, Recipe
from forensic_detectors.commfor.training import describe
from loops import each
from stirring import stirred

GOLDEN = {  # of the published 384 model, on five images of DALL-E 2 in its repository
    "00000274": 0.9988338351,
    "00000420": 0.9878403544,
    "00000845": 0.9568564892,
    "00000916": 0.9516021609,
    "00000989": 0.7860031724,
}


def published(folder, name, prefix="vit."):
    """A random network as its authors saved theirs."""
    folder.mkdir()
    body = stirred(timm.create_model(name, num_classes=1))
    save_file({prefix + key: one.contiguous() for key, one in body.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"device": "cuda", "dtype": "float32", "model_size": "small"}')
    return body


@pytest.fixture(scope="module")
def model_384(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commfor") / "commfor-model-384"
    return folder, published(folder, "vit_small_patch16_384")


@pytest.fixture(scope="module")
def model_224(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commfor") / "commfor-model-224"
    return folder, published(folder, "vit_small_patch16_224")


def batch(pictures, session=None):
    refs = [ImageRef(str(n), f"{n:064x}", 1, "PNG", *one.size) for n, one in enumerate(pictures)]
    return Batch(session or Session(), refs, [np.asarray(one) for one in pictures])


def detector(kind, folder, session=None):
    made = kind(session or Session(), options.build(kind.Options, {"weights": str(folder)}, "commfor"))
    made.name = "commfor"
    return made


def as_the_authors(body, pictures, resize, size):
    """Their evaluation: torchvision on Pillow images, then the network; probabilities."""
    steps = v2.Compose(
        [
            v2.Resize(resize, v2.InterpolationMode.BILINEAR),
            v2.CenterCrop(size),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    with torch.inference_mode():
        return [float(torch.sigmoid(body(steps(one)[None]))) for one in pictures]


@pytest.mark.parametrize(("kind", "resize", "size"), [(Commfor, 440, 384), (Commfor224, 256, 224)], ids=["384", "224"])
def test_published_weights_score_as_with_their_authors(kind, resize, size, photographs, request):
    folder, body = request.getfixturevalue(f"model_{size}")
    pictures = [photographs[0], photographs[1].resize((301, 777)), photographs[1].resize((90, 61))]
    expected = as_the_authors(body, pictures, resize, size)
    with torch.inference_mode():
        found = detector(kind, folder).score(batch(pictures))
    assert 1 / (1 + np.exp(-found)) == pytest.approx(expected, abs=1e-5)
    assert np.ptp(expected) > 1e-3  # the network tells the pictures apart


def test_a_scan_of_the_published_format(model_224, photo_folder, tmp_path):
    folder, body = model_224
    target = tmp_path / "r.json"
    asked = ["-m", "commfor.224", "--weights", f"commfor.224={folder}", "--no-store", "--dtype", "float32"]
    assert run(["scan", str(photo_folder), *asked, "-o", str(target)]) == 0
    report = json.loads(target.read_text())
    scores = {row["path"]: row["findings"][0]["score"] for row in report["files"]}
    pictures = [Image.open(path).convert("RGB") for path in scores]
    expected = as_the_authors(body, pictures, 256, 224)
    assert 1 / (1 + np.exp(-np.array(list(scores.values())))) == pytest.approx(expected, abs=1e-3)  # another JPEG decoder
    (used,) = report["run"]["methods"]
    assert used["provider"] == "torch cpu"
    assert used["weights"][0]["source"] == str(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("vit.blocks.3.attn.qkv.bias"), "lacks blocks.3.attn.qkv.bias"),
        (lambda state: state.update({"vit.norm.gain": state.pop("vit.norm.weight")}), "lacks norm.weight"),
        (lambda state: state.update({"vit.extra": torch.zeros(1)}), "has in addition extra"),
        (lambda state: state.update({"vit.head.weight": torch.zeros(2, 384)}), "has in another shape head.weight"),
    ],
    ids=["missing", "renamed", "foreign", "shape"],
)
def test_keys_that_do_not_fit_are_named_in_one_line(model_224, tmp_path, photographs, change, words):
    state = load_file(model_224[0] / "model.safetensors")
    change(state)
    folder = tmp_path / "changed"
    folder.mkdir()
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    with pytest.raises(WeightsError) as caught:
        detector(Commfor224, folder).score(batch(photographs))
    assert str(caught.value) == f"{folder} does not fit the network: it {words}"


def test_what_is_published_is_pinned_by_its_digest():
    assert MODEL_384.sha256 == {"model.safetensors": "b89f36275f3bf5e2b040eee36597a8f19db051bff9a473a9cf7b2466284fb387"}
    assert (MODEL_384.licence, MODEL_384.bytes) == ("MIT", 87_262_324)
    with torch.device("meta"):
        body = make(PUBLISHED_384)
    state = body.state_dict()
    assert len(state) == 152
    assert sum(one.numel() for one in state.values()) == 21_811_969


@pytest.mark.skipif("FORENSIC_COMMFOR_GOLDEN" not in os.environ, reason="needs the published weights and images")
def test_the_published_values():
    """FORENSIC_COMMFOR_GOLDEN: a folder with model.safetensors, config.json and the five images, below it anywhere."""
    folder = Path(os.environ["FORENSIC_COMMFOR_GOLDEN"])
    pictures = []
    for name in GOLDEN:
        (path, *_) = sorted(folder.rglob(f"*{name}*"))
        content = path.read_bytes()
        pictures.append(Image.fromarray(images.decode(content, images.probe(content))))
    found = detector(Commfor, folder).score(batch(pictures))
    assert 1 / (1 + np.exp(-found)) == pytest.approx(list(GOLDEN.values()), abs=1e-5)


# What is trained


@pytest.mark.parametrize("name", ["test_efficientnet", "tf_efficientnet_lite0", "test_resnet", "mobilenetv3_small_050"])
def test_a_folded_network_is_the_same_function(name):
    body = stirred(timm.create_model(name, num_classes=1))
    pixels = torch.randn(2, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = body(pixels)
        folded = fold(body)
        assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in folded.modules())
        torch.testing.assert_close(folded(pixels), expected, rtol=1e-4, atol=1e-4)
    building.check_fold(name, 64, {})


@pytest.mark.parametrize("name", ["densenet121", "resnetv2_50"])
def test_what_cannot_be_folded_is_told(name):
    with pytest.raises(
        TrainingError, match=f"^{name} cannot be trained folded, it would be another network: set folded=no$"
    ):
        building.check_fold(name, 64, {})


def test_a_folded_network_is_built_folded():
    classifier = Classifier("test_efficientnet", Look(32), settings=(("folded", True),))
    keys = make(classifier).state_dict().keys()
    assert not any("running_mean" in key for key in keys)
    assert any(key.startswith("conv_stem.bias") for key in keys)


@pytest.mark.parametrize("name", ["no_such_net", "hf-hub:somebody/network", "local-dir:/tmp", "", "vit_tiny_patch16_224x"])
def test_a_network_that_timm_does_not_know(name):
    with pytest.raises(WeightsError) as caught:
        make(Classifier(name, Look(32)))
    assert str(caught.value).startswith(f"timm knows no network {name!r}; ")
    assert len(str(caught.value)) < 30_000
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("settings", [(("no_such_option", 3),), (("img_size", "large"),), (("depth", -1.5),)], ids=str)
def test_settings_that_timm_refuses(settings):
    with pytest.raises(WeightsError) as caught:
        make(Classifier("test_vit", Look(32), settings=settings))
    assert str(caught.value).startswith("timm cannot make a network 'test_vit': ")
    assert "\n" not in str(caught.value)


PLAIN = Classifier("test_resnet", Look(32))


def started(file, classifier=PLAIN, seed=5):
    torch.manual_seed(seed)
    body = make(classifier)
    origin = building.start(body, classifier, pretrained=True, file=file, offline=True)
    return body, origin


def state_of(name, **how):
    return stirred(timm.create_model(name, **how)).state_dict()


def saved(tmp_path, state, suffix):
    file = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        save_file({name: one.contiguous() for name, one in state.items()}, file)
    else:
        torch.save(state, file)
    return file


def filled(body, state, classifier=PLAIN):
    """Whether all but the last layer, which is zero, has the values of `state`."""
    last = body.get_classifier()
    assert not last.weight.any()
    assert not last.bias.any()
    head = {
        name for name, one in body.state_dict().items() if one.data_ptr() in (last.weight.data_ptr(), last.bias.data_ptr())
    }
    return all(torch.equal(one, state[name]) for name, one in body.state_dict().items() if name not in head)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
@pytest.mark.parametrize("prefix", ["", "vit.", "module."])
@pytest.mark.parametrize("classes", [1000, 1])
def test_a_training_starts_from_weights_by_name(tmp_path, suffix, prefix, classes):
    state = state_of("test_resnet", num_classes=classes)
    file = saved(tmp_path, {prefix + name: one for name, one in state.items()}, suffix)
    body, origin = started(file)
    assert filled(body, state)
    assert origin == file.name


def test_or_by_order_where_the_names_are_others(tmp_path):
    state = state_of("test_resnet")
    renamed = OrderedDict((f"layer.{n}.{n * 7 % 5}", one) for n, one in enumerate(state.values()))
    body, _ = started(saved(tmp_path, renamed, "pth"))
    assert filled(body, state)


def test_folded_it_starts_from_what_is_not(tmp_path):
    classifier = Classifier("test_efficientnet", Look(32), settings=(("folded", True),))
    state = state_of("test_efficientnet", num_classes=1)
    body, _ = started(saved(tmp_path, state, "pth"), classifier)
    plain = timm.create_model("test_efficientnet", num_classes=1).eval()
    plain.load_state_dict(state)
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(body.forward_features(pixels), plain.forward_features(pixels), rtol=1e-4, atol=1e-4)


def refusal(file, classifier=PLAIN):
    with pytest.raises(TrainingError) as caught:
        started(file, classifier)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_weights_of_another_network_are_told_with_keys(tmp_path):
    line = refusal(saved(tmp_path, state_of("test_vit"), "pth"))
    assert line.startswith(f"{tmp_path / 'weights.pth'} does not fit test_resnet: it lacks, or has in another shape, conv1")
    assert line.endswith(" more")
    state = state_of("test_resnet")
    del state["bn1.weight"]
    assert refusal(saved(tmp_path, state, "safetensors")).endswith("it lacks, or has in another shape, bn1.weight")


def test_positions_of_another_size_are_not_silently_drawn_by_chance(tmp_path):
    classifier = Classifier("test_vit", Look(32), settings=(("img_size", 32),))
    line = refusal(saved(tmp_path, state_of("test_vit"), "pth"), classifier)
    assert line.endswith("it lacks, or has in another shape, pos_embed")


def test_names_in_alphabetical_order_are_not_taken_for_the_networks_own(tmp_path):
    """safetensors sorts: an order of tensors means nothing there."""
    state = {f"x{name}": one for name, one in state_of("test_resnet").items()}
    assert "does not fit" in refusal(saved(tmp_path, dict(sorted(state.items())), "pth"))


@pytest.mark.parametrize("content", [b"", b"no weights", pickle.dumps([1, 2])])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_file_that_holds_no_weights(tmp_path, content, suffix):
    file = tmp_path / f"weights.{suffix}"
    file.write_bytes(content)
    assert refusal(file).startswith(f"{file} cannot be read as a state dict: ")


def test_a_file_that_holds_something_else(tmp_path):
    torch.save([torch.zeros(3)], tmp_path / "weights.pth")
    assert refusal(tmp_path / "weights.pth") == f"{tmp_path / 'weights.pth'} holds no state dict but list"


def test_a_pickle_cannot_run_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save({"a": Trap()}, tmp_path / "weights.pth")
    assert "cannot be read" in refusal(tmp_path / "weights.pth")
    assert not (tmp_path / "trapped").exists()


def test_without_a_network_there_are_no_weights_to_start_from():
    line = refusal(None)
    assert line == "ImageNet weights of test_resnet are not here, and --offline forbids the network"


def test_not_pretrained_it_starts_by_chance_but_for_the_last_layer():
    body = make(PLAIN)
    before = {name: one.clone() for name, one in body.state_dict().items()}
    assert building.start(body, PLAIN, pretrained=False, file=None, offline=True) == "random"
    assert filled(body, before)


def test_a_network_without_one_last_layer_is_told():
    classifier = Classifier("deit_tiny_distilled_patch16_224", Look(224))
    with pytest.raises(TrainingError, match=r"^deit_tiny_distilled_patch16_224 does not end in one linear layer"):
        building.start(make(classifier), classifier, pretrained=False, file=None, offline=True)


# Recipes


def recipe(kind=Recipe, **settings):
    return options.build(kind, {name: str(value) for name, value in settings.items()}, "commfor")


def test_the_published_recipe_looks_as_it_was_published():
    found = describe(Recipe())
    assert found.look == PUBLISHED_384.look
    assert (found.mean, found.std, found.head) == (IMAGENET_MEAN, IMAGENET_STD, "logit")
    assert found.settings == (("img_size", 384),)


def test_the_small_recipe_sees_native_crops():
    found = describe(LiteRecipe())
    assert found.look == Look(224, crops=5, whole=True, pad="mirror")
    assert found.settings == ()
    cfg = timm.get_pretrained_cfg("tf_efficientnet_lite0")
    assert (found.mean, found.std) == (cfg.mean, cfg.std)


def test_a_network_of_a_fixed_grid_sees_squares_of_its_size_alone():
    found = describe(recipe(backbone="test_vit", size=64, view="native", crops=5))
    assert found.look == Look(64, crops=5, pad="mirror")
    assert dict(found.settings) == {"img_size": 64}
    with pytest.raises(TrainingError, match=r"^test_vit sees the size that it was trained on alone: leave window=96 out$"):
        describe(recipe(backbone="test_vit", size=64, window=96))
    free = describe(recipe(backbone="test_resnet", size=64, window=96, view="native", crops=5))
    assert free.look == Look(96, crops=5, whole=True, pad="mirror")
    assert free.settings == ()


@pytest.mark.parametrize("name", ["no_such_net", "hf-hub:somebody/network"])
@pytest.mark.parametrize("normalise", ["imagenet", "backbone"])
def test_an_unknown_backbone_is_told(name, normalise):
    with pytest.raises(TrainingError) as caught:
        describe(recipe(backbone=name, normalise=normalise))
    assert str(caught.value).startswith(f"timm knows no network {name!r}; ")


@each(
    "settings",
    [
        {"size": 31},
        {"steps": 0},
        {"batch": 1},
        {"lr": 0},
        {"lr": 2},
        {"warmup": 1},
        {"average": 1},
        {"smoothing": -0.1},
        {"weight_decay": -1},
        {"clip": -1},
        {"floor": -1},
        {"handmade": -1},
        {"window": 0},
        {"repeats": -1},
        {"crops": 3},
        {"lr": "fast"},
        {"augment": "wilder"},
        {"start": "no/such/file"},
    ],
)
def test_options_that_make_no_sense_are_refused(settings):
    with pytest.raises(Exception, match=next(iter(settings))) as caught:
        recipe(**settings)
    assert type(caught.value).__name__ == "UsageError"
    assert "\n" not in str(caught.value)
