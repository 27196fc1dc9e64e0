"""Tiny random networks saved in the real formats, photographs that come with scikit-learn, and a store of one's own."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def _private_cache(tmp_path_factory, monkeypatch):
    """No test reads or writes the user's cache or the network."""
    monkeypatch.setenv("FORENSIC_CACHE", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("FORENSIC_PLUGINS", raising=False)


@pytest.fixture
def start():
    """Start an interpreter with these arguments (and options of Popen); it ends with the test, also if the test fails."""
    children = []

    def begin(*arguments: object, **options: object) -> subprocess.Popen:
        children.append(subprocess.Popen([sys.executable, *map(str, arguments)], **options))
        return children[-1]

    yield begin
    for child in children:
        child.kill()
    for child in children:
        with child:
            pass


@pytest.fixture
def own_accelerator():
    """For tests that train: accelerate remembers its precision for the life of a process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def tiny_dinov2(tmp_path_factory) -> Path:
    """A random two-layer DINOv2 in transformers format, trained for 518 pixels like the real one."""
    return save_dinov2(tmp_path_factory.mktemp("weights") / "dinov2")


def save_dinov2(folder: Path, registers: bool = False, **changes: int) -> Path:
    """Layer scale is raised: at its initial 1e-5 no block would matter."""
    import torch
    import transformers

    torch.manual_seed(0)
    settings = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 518, "patch_size": 14}
    settings |= {"mlp_ratio": 2, "layerscale_value": 0.5, **changes}
    if registers:
        config = transformers.Dinov2WithRegistersConfig(num_register_tokens=4, **settings)
        model = transformers.Dinov2WithRegistersModel(config)
    else:
        config = transformers.Dinov2Config(**settings)
        model = transformers.Dinov2Model(config)
    for name, weight in model.named_parameters():
        if weight.ndim >= 2:
            torch.nn.init.normal_(weight, std=0.2 if "embeddings" in name else 0.1)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_classifier(tmp_path_factory) -> Path:
    """A random convolutional classifier in our own format, one native crop of 64."""
    return save_classifier(tmp_path_factory.mktemp("weights") / "classifier")


def save_classifier(folder: Path, network: str = "test_efficientnet", **look: object) -> Path:
    """Random weights of any network of timm, its last layer raised so that images differ."""
    import timm
    import torch
    from safetensors.torch import save_file

    from forensic_cli.classifier import Classifier, Look

    torch.manual_seed(0)
    body = timm.create_model(network, num_classes=1)
    torch.nn.init.normal_(body.get_classifier().weight)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(body.state_dict(), folder / "model.safetensors")
    classifier = Classifier(network, Look(**{"size": 64, "pad": "mirror", **look}), licence="MIT")
    (folder / "config.json").write_text(json.dumps(classifier.to_json()))
    return folder


@pytest.fixture(scope="session")
def photographs() -> list[Image.Image]:
    """The two photographs of scikit-learn, 640 x 427."""
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(image) for image in load_sample_images().images]


@pytest.fixture
def photo_folder(tmp_path, photographs) -> Path:
    """Six different JPEGs of several sizes in two folders."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for index in range(6):
        picture = photographs[index % 2].resize((400 + 40 * index, 300 + 17 * index))
        picture.save(folder / ("more" if index > 3 else ".") / f"photo_{index}.jpg", quality=85 + index)
    return folder


@pytest.fixture
def jpeg(photographs) -> bytes:
    stream = io.BytesIO()
    photographs[0].save(stream, "JPEG", quality=90)
    return stream.getvalue()


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder of one's own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
