"""Encoders of every kind give the class token and the mean of the patches after each block, whoever runs them."""

import json
import shutil

import numpy as np
import pytest
import timm
import torch
import transformers
from PIL import Image
from safetensors.torch import save_file

from clip_models import save_clip, tower
from conftest import save_dinov2
from forensic_cli import Batch, Session, Weights
from forensic_cli.classifier import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, Look
from forensic_cli.errors import WeightsError
from forensic_cli.features.encoders import encoder, tokens
from forensic_cli.features.encoders.eight_bits import quantised, restored
from forensic_cli.records import ImageRef

FILES = ("*.json", "*.safetensors", "graph.*")


def opened(folder, **session):
    return encoder(Session(offline=True, **session), weights=Weights(str(folder), files=FILES))


def crops(number, side):
    return np.random.default_rng(0).integers(0, 256, (number, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


def test_a_clip_gives_the_tokens_between_its_blocks(clip):
    run = opened(clip)
    assert (run.statistics.size, run.statistics.mean, run.provider) == (32, CLIP_MEAN, "torch cpu")
    pixels = crops(3, 32)
    found = run(pixels)
    assert found.shape == (3, 4, 2, 64)
    model = transformers.CLIPVisionModel.from_pretrained(clip).eval()
    mean, std = (torch.tensor(one).view(3, 1, 1) for one in (CLIP_MEAN, CLIP_STD))
    seen = []
    layers = [module for name, module in model.named_modules() if name.endswith(tuple(f"layers.{n}" for n in range(4)))]
    for layer in layers:
        layer.register_forward_hook(lambda _, __, out: seen.append(out[0] if isinstance(out, tuple) else out))
    with torch.inference_mode():
        model((torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - mean) / std)
    for block, hidden in enumerate(seen):
        np.testing.assert_allclose(found[:, block, 0], hidden[:, 0], atol=1e-4)
        np.testing.assert_allclose(found[:, block, 1], hidden[:, 1:].mean(dim=1), atol=1e-4)


def test_neighbours_do_not_matter(clip):
    run, pixels = opened(clip), crops(3, 32)
    assert np.array_equal(run(pixels)[1:2], run(pixels[1:2]))


@pytest.mark.parametrize("registers", [False, True])
def test_a_dinov2(tmp_path, registers):
    folder = save_dinov2(tmp_path / "dinov2", registers=registers, num_hidden_layers=2)
    run = opened(folder)
    assert (run.statistics.size, run.statistics.mean) == (224, IMAGENET_MEAN)
    assert run(crops(1, 224)).shape == (1, 2, 2, 32)


def test_a_siglip_has_no_class_token(tmp_path):
    settings = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.SiglipVisionConfig(**settings, image_size=32, patch_size=8)
    transformers.SiglipVisionModel(config).save_pretrained(tmp_path)
    run = opened(tmp_path)
    assert (run.statistics.size, run.statistics.mean) == (32, (0.5, 0.5, 0.5))
    found = run(crops(2, 32))
    assert found.shape == (2, 2, 2, 32)
    assert np.array_equal(found[:, :, 0], found[:, :, 1])


@pytest.mark.parametrize(("name", "class_token"), [("test_vit", True), ("test_resnet", False)])
def test_networks_of_timm(tmp_path, name, class_token):
    size = 160
    model = timm.create_model(name, num_classes=0)
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    described = {
        "architecture": name,
        "num_classes": 0,
        "pretrained_cfg": {"input_size": [3, size, size], "mean": [0.5] * 3},
    }
    (tmp_path / "config.json").write_text(json.dumps(described))
    run = opened(tmp_path)
    assert (run.statistics.size, run.statistics.mean) == (size, (0.5, 0.5, 0.5))
    found = run(crops(2, size))
    assert (len(found), found.shape[2]) == (2, 2)
    assert np.array_equal(found[:, :, 0], found[:, :, 1]) != class_token


def test_a_look_belongs_to_the_encoder(clip):
    assert opened(clip).statistics.look == Look(32, resize=32, kernel="bicubic")


def test_a_batch_is_seen_once_whoever_asks(clip, photographs):
    session, weights = Session(offline=True), Weights(str(clip), files=FILES)
    refs = [ImageRef(str(n), f"{n:064x}", 1, "JPEG", 640, 427) for n in range(2)]
    batch = Batch(session, refs, [np.asarray(one) for one in photographs])
    one = batch.once(tokens, weights=weights, look=Look(32, resize=32))
    assert batch.once(tokens, weights=weights, look=Look(32, resize=32)) is one
    for (several, seen), photograph in zip(one, photographs, strict=True):
        assert seen.shape == (1, 4, 2, 64)
        assert several[0].pixels.shape == (32, 32, 3)
        small = photograph.resize((int(32 * 640 / 427), 32), Image.Resampling.BILINEAR)
        assert abs(several[0].pixels.mean() - np.asarray(small).mean()) < 30


def test_matrices_in_eight_bits_come_back_nearly_the_same():
    random = np.random.default_rng(0)
    weight = random.normal(size=(40, 30)).astype(np.float32) * random.uniform(0.1, 10, 30)
    even = np.exp(random.normal(size=30)).astype(np.float32)
    for factors in (None, even):
        parts = quantised(weight, factors)
        assert parts[""].dtype == np.int8
        back = parts[""] * parts["_scale"][:, None] / (1 if factors is None else factors)
        limit = np.abs(weight if factors is None else weight * factors).max(axis=1, keepdims=True) / 127
        assert np.all(np.abs(back - weight) * (1 if factors is None else factors) <= limit / 2 + 1e-6)


def test_eight_bits_are_restored_under_the_names_of_the_network(tmp_path):
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    parts = {f"a.weight{end}": torch.from_numpy(one) for end, one in quantised(weight, np.ones(3, np.float32)).items()}
    save_file({**parts, "a.bias": torch.ones(4)}, tmp_path / "model.safetensors")
    found = restored(tmp_path)
    assert sorted(found) == ["a.bias", "a.weight"]
    np.testing.assert_allclose(found["a.weight"], weight, atol=np.abs(weight).max() / 127)


def refusal(folder):
    with pytest.raises(WeightsError) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_encoder_is_refused_in_one_line(tmp_path, clip):
    copy = tmp_path / "copy"
    shutil.copytree(clip, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    assert "holds a bert network, an image encoder is needed" in refusal(copy)
    (copy / "config.json").write_text("{")
    assert "is not JSON" in refusal(copy)
    (copy / "config.json").write_text("[]")
    assert "describes no network" in refusal(copy)
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 6}))
    assert "does not fit its own config.json" in refusal(copy)
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "preprocessor_config.json").write_text(json.dumps({"image_mean": ["a", 1, 1]}))
    assert "no numbers" in refusal(copy)
    (copy / "preprocessor_config.json").write_text(json.dumps({"image_std": [0, 1, 1]}))
    assert "was not trained on colour images" in refusal(copy)
    (tmp_path / "timm").mkdir()
    save_file(tower().state_dict(), tmp_path / "timm" / "model.safetensors")
    (tmp_path / "timm" / "config.json").write_text(json.dumps({"architecture": "nothing_like_it"}))
    assert "cannot be read as a network of timm" in refusal(tmp_path / "timm")


def test_a_graph_that_is_none(tmp_path, clip):
    copy = tmp_path / "copy"
    shutil.copytree(clip, copy)
    (copy / "graph.onnx").write_bytes(b"nothing")
    assert "cannot be opened by ONNX Runtime" in refusal(copy)
    assert opened(copy, dtype="bfloat16").statistics.std == CLIP_STD  # torch does not look at it
