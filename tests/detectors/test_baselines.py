"""Each published classifier on a random network of its architecture, in the format of its authors: converted by the
command, scanned by the command, and compared with the network as torchvision, transformers or plain torch has it."""

import argparse
import json
import sys
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers
from PIL import Image
from torch import nn

from forensic_cli import Batch, Session, options
from forensic_cli.abilities import Converts, Exports, Localises
from forensic_cli.classifier import CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD, Look
from forensic_cli.cli import run
from forensic_cli.contract import Subject, check, has_plain_options, is_documented
from forensic_cli.engine.converting import convert
from forensic_cli.features.architectures import diagonal, make, neighbours
from forensic_cli.features.networks import pooled
from forensic_cli.features.networks import run as outputs
from forensic_cli.features.torch_network import Scorer, TorchNetwork
from forensic_cli.features.windows import cut
from forensic_cli.records import ImageRef
from forensic_detectors.baselines.cnnspot import Cnnspot
from forensic_detectors.baselines.corvi import Corvi
from forensic_detectors.baselines.dda import Dda
from forensic_detectors.baselines.drct import Drct
from forensic_detectors.baselines.npr import Npr
from forensic_detectors.baselines.safe import Safe
from forensic_detectors.baselines.timm import Timm
from forensic_detectors.baselines.univfd import Univfd
from installing import install


class SmallDrct(Drct):
    """DRCT on a ConvNeXt of timm's own tests."""

    published = replace(Drct.published, settings=(("backbone", "test_convnext"), ("width", 1024)))


class SmallDda(Dda):
    """DDA on a DINOv2 of two layers."""

    settings = (("img_size", 336), ("embed_dim", 32), ("depth", 2), ("num_heads", 2))
    published = replace(Dda.published, settings=settings)


class SmallCorvi(Corvi):
    """Corvi's view of the image on a small network."""

    published = replace(Corvi.published, network="test_resnet")


class SmallSafe(Safe):
    """SAFE's view of the image on a small network."""

    published = replace(Safe.published, network="test_resnet")


PLUGIN = """
import sys
from forensic_cli import hookimpl

@hookimpl
def register_detectors(register):
    tests = sys.modules[{tests!r}]
    register("given", tests.Corvi)
    for cls in (tests.Cnnspot, tests.Npr, tests.Safe, tests.SmallDrct, tests.SmallDda, tests.Univfd, tests.Timm):
        register("given." + cls.__name__.lower(), cls)
"""


@pytest.fixture
def given(tmp_path, monkeypatch):
    """The methods under names of their own, whatever is installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    install(folder, "given", PLUGIN.format(tests=__name__))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("FORENSIC_PLUGINS", "given")
    yield
    sys.modules.pop("given", None)


@pytest.fixture
def pictures(tmp_path, photographs):
    """Three small pictures, one with odd sides, one smaller than any crop; the folder and the pixels by name."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    parts = {"a.png": (0, 0, 64, 48), "b.png": (200, 100, 241, 153), "c.png": (300, 200, 340, 248)}
    made = {}
    for name, box in parts.items():
        picture = photographs[name != "a.png"].crop(box)
        picture.save(folder / name)
        made[name] = np.asarray(picture)
    return folder, made


def shaken(network, seed=0):
    """The network with random numbers everywhere, of a size that keeps signals alive."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if not tensor.is_floating_point():
            continue
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var") or (tensor.ndim == 1 and name.endswith("weight")):
            tensor.copy_(1 + 0.2 * noise.tanh())
        else:
            tensor.copy_(noise / max(1, tensor[0].numel()) ** 0.5 if tensor.ndim > 1 else 0.1 * noise)
    return network.eval()


def training(network):
    """What CNNSpot's training, from which most of these descend, keeps beside the tensors."""
    last = list(network.parameters())[-1]
    adam = torch.optim.Adam([last])
    last.grad = torch.ones_like(last)
    adam.step()
    return {"optimizer": adam.state_dict(), "total_steps": 1234}


def pixels(image, mean=IMAGENET_MEAN, std=IMAGENET_STD):
    """(1, 3, H, W) in float64, normalised."""
    values = (image / 255.0 - np.array(mean)) / np.array(std)
    return torch.from_numpy(values).permute(2, 0, 1)[None]


def centre(image, size):
    """The centre crop, black about what is smaller: even spare room, so that there is one centre only."""
    height, width = image.shape[:2]
    room = [(max(0, size - side) // 2, -(-max(0, size - side) // 2)) for side in (height, width)]
    return np.pad(image, [*room, (0, 0)])[(max(0, height - size)) // 2 :, (max(0, width - size)) // 2 :][:size, :size]


def scanned(method, folder, tmp_path, *more):
    report = tmp_path / "report.json"
    assert run(["scan", str(folder), "-m", method, "-o", str(report), "--no-store", *more]) == 0
    scan = json.loads(report.read_text())
    assert scan["run"]["methods"][0]["provider"] == "torch cpu"
    files = scan["files"]
    return {file["path"].rpartition("/")[2]: file["findings"][0]["score"] for file in files}


def converted(method, content, tmp_path, *more):
    """Save as the authors do, convert as a user does."""
    file = tmp_path / "published.pth"
    torch.save(content, file)
    assert run(["weights", "convert", method, str(file), *more]) == 0


def half_resnet(outputs):
    """NPR's and SAFE's network after their residual."""
    whole = torchvision.models.resnet50()
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 64, 3, 2, 1, bias=False),
            bn1=whole.bn1,
            relu=whole.relu,
            maxpool=whole.maxpool,
            layer1=whole.layer1,
            layer2=whole.layer2,
            avgpool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc1=nn.Linear(512, outputs),
        )
    )


@torch.inference_mode()
def test_corvi(given, pictures, tmp_path, capsys):
    folder, images = pictures
    network = torchvision.models.resnet50(num_classes=1)
    network.conv1.stride, network.maxpool.stride = (1, 1), 1
    shaken(network)
    with torch.inference_mode(False):
        rest = training(torchvision.models.resnet18())
    converted(
        "given", {"model": {f"module.{name}": value for name, value in network.state_dict().items()}, **rest}, tmp_path
    )
    scores = scanned("given", folder, tmp_path)
    network.double()
    for name, image in images.items():
        assert scores[name] == pytest.approx(network(pixels(image)).item(), rel=1e-4, abs=1e-6)
    assert capsys.readouterr().err.count("ask the authors before commercial use") == 2, "before conversion, before a scan"


@torch.inference_mode()
@pytest.mark.parametrize("crop", [0, 32])
def test_cnnspot(given, pictures, tmp_path, crop):
    folder, images = pictures
    network = shaken(torchvision.models.resnet50(num_classes=1))
    tensors = {name: value for name, value in network.state_dict().items() if not name.endswith("batches_tracked")}
    converted("given.cnnspot", {"model": tensors, "total_steps": 7}, tmp_path)
    scores = scanned("given.cnnspot", folder, tmp_path, "--set", f"given.cnnspot.crop={crop}")
    network.double()
    for name, image in images.items():
        if crop and any((side - crop) % 2 for side in image.shape[:2]):
            continue
        seen = centre(image, crop) if crop else image
        assert scores[name] == pytest.approx(network(pixels(seen)).item(), rel=1e-4)


@torch.inference_mode()
def test_npr(given, pictures, tmp_path):
    folder, images = pictures
    network = shaken(half_resnet(1))
    assert sum(weight.numel() for weight in network.parameters()) == 1_437_761
    converted("given.npr", network.state_dict(), tmp_path)
    network.double()

    def score(image):
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
        x = pixels(image)
        corner = F.interpolate(F.interpolate(x, scale_factor=0.5), scale_factor=2)
        return network((x - corner) * 2 / 3).item()

    scores = scanned("given.npr", folder, tmp_path)
    assert scores == pytest.approx({name: score(image) for name, image in images.items()}, rel=1e-4)
    squashed = scanned("given.npr", folder, tmp_path, "--set", "given.npr.resize=64")
    for name, image in images.items():
        small = Image.fromarray(image).resize((64, 64), Image.Resampling.BILINEAR)
        assert squashed[name] == pytest.approx(score(np.asarray(small)), rel=1e-4)


@torch.inference_mode()
def test_safe(given, pictures, tmp_path):
    folder, images = pictures
    network = shaken(half_resnet(2))
    told = argparse.Namespace(input_size=256, model="SAFE", data_path="data/datasets")  # as its training keeps it
    converted("given.safe", {"model": network.state_dict(), "epoch": 19, "scaler": {}, "args": told}, tmp_path)
    scores = scanned("given.safe", folder, tmp_path)
    network.double()
    for name, image in images.items():
        if any(side % 2 for side in image.shape[:2]):
            continue
        band = torch.from_numpy(hh(pixels(centre(image, 256), (0, 0, 0), (1, 1, 1)).numpy()))
        real, generated = network(F.interpolate(band, size=256, mode="bilinear"))[0]
        assert scores[name] == pytest.approx((generated - real).item(), rel=1e-4)


def hh(x):
    """The HH band of bior1.3 by its definition: the six taps of its high-pass filter, mirrored edges, every second value.

    Equal to PyWavelets' dwt2(x, "bior1.3", "symmetric") to 1e-15, for odd sides too.
    """
    taps = np.array([0, 0, -1, 1, 0, 0]) / np.sqrt(2)
    for axis in (-1, -2):
        x = np.moveaxis(x, axis, -1)
        length = x.shape[-1]
        wide = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(5, 5)], mode="symmetric")
        whole = np.apply_along_axis(np.convolve, -1, wide, taps)  # whole[n] is the filter's answer at x[n - 5]
        x = np.moveaxis(whole[..., 6 : 6 + length + 5 : 2][..., : (length + 5) // 2], -1, axis)
    return x


def test_the_band_that_safe_sees():
    few = ((np.arange(6)[:, None] * 7 + np.arange(8)[None] ** 2 * 3) % 17).astype(float)
    known = [
        [0, 0, 0, -8.5, 8.5, -8.5],
        [0, 0, 0, 8.5, -8.5, 8.5],
        [-8.5, 8.5, 0, 8.5, 0, 0],
    ]  # PyWavelets' dwt2, symmetric
    assert hh(few)[:3] == pytest.approx(np.array(known), abs=1e-12)
    x = np.random.default_rng(0).normal(size=(1, 2, 12, 16))
    expected = hh(x)
    assert expected.shape == (1, 2, 8, 10)
    wider = F.interpolate(torch.from_numpy(expected), size=(12, 16), mode="bilinear", align_corners=False)
    assert diagonal(torch.from_numpy(x)).numpy() == pytest.approx(wider.numpy(), abs=1e-12)


def test_what_npr_sees():
    x = torch.randn(2, 3, 7, 10, dtype=torch.float64)
    seen = neighbours(x) * 3 / 2
    assert seen.shape == (2, 3, 6, 10), "the odd row is cut off"
    for row in range(6):
        for column in range(10):
            corner = x[..., row // 2 * 2, column // 2 * 2]
            assert seen[..., row, column].numpy() == pytest.approx((x[..., row, column] - corner).numpy())
    assert neighbours(x[..., :1, :1]).abs().max() == 0, "one pixel has no neighbour"
    assert shaken(make(Npr.published))(torch.rand(1, 3, 1, 1)).isfinite()


def clip_folder(folder):
    torch.manual_seed(0)
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    vision |= {"image_size": 224, "patch_size": 14, "projection_dim": 768}
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50}
    config = transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=768)
    model = shaken(transformers.CLIPModel(config))
    model.save_pretrained(folder)
    return model


@torch.inference_mode()
@pytest.mark.parametrize("whole", [False, True])
def test_univfd(given, pictures, tmp_path, whole):
    folder, images = pictures
    model = clip_folder(tmp_path / "clip")
    layer = shaken(nn.Linear(768, 1), seed=1)
    content = layer.state_dict()
    if whole:  # as its training keeps the encoder, too
        content = {"model": {"model.visual.proj": torch.zeros(2), "fc.weight": layer.weight, "fc.bias": layer.bias}}
    converted("given.univfd", content, tmp_path)
    scores = scanned("given.univfd", folder, tmp_path, "--set", f"given.univfd.clip={tmp_path / 'clip'}")
    for name, image in images.items():
        if any(side % 2 for side in image.shape[:2]):
            continue
        x = pixels(centre(image, 224), CLIP_MEAN, CLIP_STD).float()
        embedding = model.visual_projection(model.vision_model(pixel_values=x).pooler_output)
        assert scores[name] == pytest.approx(layer(embedding).item(), rel=1e-4)


@torch.inference_mode()
def test_drct(given, pictures, tmp_path):
    folder, images = pictures
    backbone = shaken(timm.create_model("test_convnext", num_classes=1024))
    layer = shaken(nn.Linear(1024, 2), seed=1)
    tensors = {f"model.{name}": value for name, value in backbone.state_dict().items()}
    converted("given.smalldrct", {**tensors, "fc.weight": layer.weight, "fc.bias": layer.bias}, tmp_path)
    scores = scanned("given.smalldrct", folder, tmp_path)
    for name, image in images.items():
        if any(side % 2 for side in image.shape[:2]):
            continue
        real, generated = layer(backbone(pixels(centre(image, 224)).float()))[0]
        assert scores[name] == pytest.approx((generated - real).item(), rel=1e-4)


def hub_dinov2(width=32, depth=2, rank=8):
    """The tensors of DDA's checkpoint: DINOv2 as torch.hub names it, with adapters of `rank`, and the last layer."""
    layers = {"attn.qkv": (3 * width, width), "attn.proj": (width, width)}
    layers |= {"mlp.fc1": (4 * width, width), "mlp.fc2": (width, 4 * width)}
    shapes = {"cls_token": (1, 1, width), "pos_embed": (1, 1 + 37 * 37, width), "mask_token": (1, width)}
    shapes |= {"patch_embed.proj.weight": (width, 3, 14, 14), "patch_embed.proj.bias": (width,)}
    for block in range(depth):
        for name, shape in layers.items():
            place = f"blocks.{block}.{name}"
            shapes |= {f"{place}.original_layer.weight": shape, f"{place}.original_layer.bias": shape[:1]}
            shapes |= {f"{place}.lora.lora_A": (rank, shape[1]), f"{place}.lora.lora_B": (shape[0], rank)}
        for name in ("norm1", "norm2"):
            shapes |= {f"blocks.{block}.{name}.weight": (width,), f"blocks.{block}.{name}.bias": (width,)}
        shapes |= {f"blocks.{block}.ls1.gamma": (width,), f"blocks.{block}.ls2.gamma": (width,)}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    torch.manual_seed(0)
    tensors = {f"base_model.model.{name}": 0.2 * torch.randn(shape) for name, shape in shapes.items()}
    return tensors | {"base_model.fc.weight": torch.randn(1, width), "base_model.fc.bias": torch.randn(1)}


def dda_logit(tensors, x, heads=2):
    """DDA by its definition, in float64: the adapters beside the layers, positions resampled as torch.hub does."""
    of = {name.removeprefix("base_model.model."): value.double() for name, value in tensors.items()}

    def linear(place, h):
        adapted = (h @ of[f"{place}.lora.lora_A"].T) @ of[f"{place}.lora.lora_B"].T / 8
        return h @ of[f"{place}.original_layer.weight"].T + of[f"{place}.original_layer.bias"] + adapted

    def norm(place, h):
        return F.layer_norm(h, h.shape[-1:], of[f"{place}.weight"], of[f"{place}.bias"], eps=1e-6)

    patches = F.conv2d(x, of["patch_embed.proj.weight"], of["patch_embed.proj.bias"], stride=14)
    side, width = patches.shape[-1], patches.shape[1]
    grid = of["pos_embed"][:, 1:].reshape(1, 37, 37, width).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=((side + 0.1) / 37,) * 2, mode="bicubic")
    positions = torch.cat([of["pos_embed"][:, :1], grid.flatten(2).transpose(1, 2)], 1)
    h = torch.cat([of["cls_token"], patches.flatten(2).transpose(1, 2)], 1) + positions
    for block in (f"blocks.{number}" for number in range(2)):
        q, k, v = linear(f"{block}.attn.qkv", norm(f"{block}.norm1", h)).view(1, -1, 3, heads, width // heads).unbind(2)
        weights = torch.einsum("nqhd,nkhd->nhqk", q, k).div((width // heads) ** 0.5).softmax(-1)
        mixed = torch.einsum("nhqk,nkhd->nqhd", weights, v).flatten(2)
        h = h + of[f"{block}.ls1.gamma"] * linear(f"{block}.attn.proj", mixed)
        inner = F.gelu(linear(f"{block}.mlp.fc1", norm(f"{block}.norm2", h)))
        h = h + of[f"{block}.ls2.gamma"] * linear(f"{block}.mlp.fc2", inner)
    return (norm("norm", h)[0, 0] @ of["base_model.fc.weight"][0] + of["base_model.fc.bias"][0]).item()


def test_dda(given, pictures, tmp_path):
    folder, images = pictures
    tensors = hub_dinov2()
    converted("given.smalldda", {"model": tensors, **training(nn.Linear(2, 2))}, tmp_path)
    scores = scanned("given.smalldda", folder, tmp_path)
    for name, image in images.items():
        if any(side % 2 for side in image.shape[:2]):
            continue
        expected = dda_logit(tensors, pixels(centre(image, 336), CLIP_MEAN, CLIP_STD))
        assert scores[name] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_dda_without_an_adapter_is_refused(given, tmp_path, capsys):
    tensors = hub_dinov2()
    del tensors["base_model.model.blocks.1.mlp.fc1.lora.lora_B"]
    torch.save({"model": tensors}, tmp_path / "half.pth")
    assert run(["weights", "convert", "given.smalldda", str(tmp_path / "half.pth")]) == 2
    assert "blocks.1.mlp.fc1.weight" in capsys.readouterr().err


@torch.inference_mode()
@pytest.mark.parametrize("head", ["logit", "softmax"])
def test_timm(given, pictures, tmp_path, head):
    folder, images = pictures
    outputs = 1 if head == "logit" else 2
    network = shaken(timm.create_model("test_vit", num_classes=outputs))
    chosen = ["--set", "given.timm.network=test_vit", "--set", f"given.timm.head={head}"]
    output = tmp_path / "mine.safetensors"
    converted("given.timm", {"state_dict": network.state_dict()}, tmp_path, *chosen, "-o", str(output))
    chosen += ["--weights", f"given.timm={output}"]
    scores = scanned("given.timm", folder, tmp_path, *chosen)
    other = scanned("given.timm", folder, tmp_path, *chosen, "--set", "given.timm.fake_index=0")
    transform = timm.data.create_transform(**timm.data.resolve_data_config(model=network))  # 168, then 160, bicubic
    for name, image in images.items():
        answer = network(transform(Image.fromarray(image))[None])[0]
        expected = (answer[0] if head == "logit" else answer[1] - answer[0]).item()
        assert scores[name] == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert other[name] == -scores[name]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "needs the name of its network"),
        (["--set", "given.timm.network=resnet51"], "timm has no network 'resnet51'; did you mean resnet5"),
        (["--set", "given.timm.network=test_vit"], "--weights given.timm="),
        (["--set", "given.timm.network=test_vit", "--set", "given.timm.resize=100"], "no room for crops of 160"),
        (["--set", "given.timm.network=test_vit", "--set", "given.timm.std=1,1"], "three numbers"),
    ],
)
def test_timm_says_what_it_needs(given, pictures, capsys, arguments, words):
    assert run(["scan", str(pictures[0]), "-m", "given.timm", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_true_architectures():
    """The tensors of the real sizes, as counted in the published files."""
    with torch.device("meta"):
        counts = {
            cls.__name__: sum(weight.numel() for weight in make(cls.published).parameters())
            for cls in (Corvi, Cnnspot, Drct, Dda)
        }
    resnet50 = 23_508_032  # without its last layer
    assert counts["Corvi"] == counts["Cnnspot"] == resnet50 + 2049
    assert counts["Drct"] == 87_566_464 + 1024 * 1024 + 1024 + 2 * 1024 + 2  # ConvNeXt-B up to its last norm, two layers
    assert counts["Dda"] == 304_368_640 - 1024 - (37 * 37 - 24 * 24) * 1024 + 1025  # without mask token, fewer positions


def batch(images):
    refs = [ImageRef(f"{number}.png", f"{number:064x}", 1, "PNG", 1, 1) for number in range(len(images))]
    return Batch(Session(), refs, images)


def made(cls, tmp_path, content, **settings):
    """The detector on converted tensors."""
    file, output = tmp_path / "net.pth", tmp_path / "net.safetensors"
    torch.save(content, file)
    plain = {name: value for name, value in settings.items() if name != "weights"}
    detector = cls(Session(), options.build(cls.Options, plain, "x"))
    detector.name = "x"
    convert(detector, file, output)
    return cls(Session(), options.build(cls.Options, {**plain, "weights": str(output)}, "x"))


@torch.inference_mode()
def test_tiles_average_to_the_whole_image():
    """Where nothing is seen across a seam, tiles give what the whole image gives: the mean over all its places."""
    network = shaken(make(Corvi.published))
    for weight in network.parameters():
        if weight.ndim == 4 and weight.shape[-1] > 1:  # each place sees itself alone
            middle = weight[..., weight.shape[-1] // 2, weight.shape[-1] // 2].clone()
            weight.zero_()[..., weight.shape[-1] // 2, weight.shape[-1] // 2] = middle
    cells = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = cells.repeat(8, 0).repeat(8, 1)[
        4:-4, 4:-4
    ]  # 64 x 48; of one colour about each seam, as max pooling reaches across
    runner = TorchNetwork(Scorer(network, Corvi.published), Corvi.published, Session())

    def score(part, tile):
        crops = cut(part, Look(None, tile=tile))
        return pooled(crops, outputs(runner, [crop.pixels for crop in crops])[0])

    assert score(image, 32) == pytest.approx(score(image, 64), rel=1e-5)
    assert score(image[:32], 32) != pytest.approx(score(image[32:], 32), rel=1e-3), "the tiles are not all alike"


def test_tiles_lie_on_blocks_and_cover_the_image():
    image = np.arange(1000 * 700 * 3, dtype=np.uint32).astype(np.uint8).reshape(700, 1000, 3)
    for tile in (1024, 700, 333, 96, 32, 5):
        found = cut(image, Look(None, tile=tile))
        again = np.zeros_like(image)
        for window in found:
            left, top, right, bottom = window.box
            assert left % 32 == top % 32 == 0
            assert max(window.pixels.shape[:2]) <= max(tile, 32)
            again[top:bottom, left:right] = window.pixels
        assert (again == image).all()
        assert sum(window.area for window in found) == 700_000
    assert len(cut(image, Look(None, tile=512))) == 4


@pytest.mark.parametrize("cls", [Corvi, Cnnspot, Univfd, Npr, Safe, Drct, Dda, Timm])
def test_records_are_whole(cls):
    is_documented(Subject(cls, {}))
    has_plain_options(Subject(cls, {}))
    for weights in options.weights_of(cls.Options()):
        restricted = any(word in weights.licence for word in ("NC", "non-profit", "unstated"))
        assert bool(cls.caution) >= restricted, "who uses it must know"


@pytest.mark.parametrize("cls", [SmallCorvi, SmallSafe, Univfd, Timm])
def test_promises(cls, tmp_path):
    """Each way to look once: tiles, a native crop, an encoder of its own, a resized crop."""
    settings = {}
    if cls is Univfd:
        clip_folder(tmp_path / "clip")
        settings, content = {"clip": str(tmp_path / "clip")}, shaken(nn.Linear(768, 1)).state_dict()
    elif cls is Timm:
        settings, content = {"network": "test_vit"}, shaken(timm.create_model("test_vit", num_classes=1)).state_dict()
    else:
        content = shaken(make(cls.published)).state_dict()
    detector = made(cls, tmp_path, content, **settings)
    assert isinstance(detector, Converts)
    assert isinstance(detector, Exports)
    check(cls, weights=tmp_path / "net.safetensors", **settings)


@torch.inference_mode()
def test_heatmaps_say_where_and_exports_are_the_same_network(tmp_path, photographs):
    image = np.asarray(photographs[0].crop((0, 0, 128, 96)))
    detector = made(Npr, tmp_path, shaken(make(Npr.published)).state_dict())
    assert isinstance(detector, Localises)
    score = detector.score(batch([image]))[0]
    heatmap = detector.heatmaps(batch([image]))[0]
    assert heatmap.ndim == 2
    assert heatmap.mean() == pytest.approx(score, rel=1e-3)
    module, record = detector.exportable()
    assert module(torch.from_numpy(image[None].copy()))[0].item() == pytest.approx(score, rel=1e-5)
    assert record.network == "resnet50-neighbours"
    assert not isinstance(made(Safe, tmp_path, shaken(make(Safe.published)).state_dict()), Localises)
