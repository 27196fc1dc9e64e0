"""`scan -m commfor` against Hugging Face's pipeline and a plain PyTorch loop: same files, shapes and threads."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import timm
import torch
import transformers
from common import forensic, save_photographs, tell
from PIL import Image
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

IMAGES, BATCH, ROUNDS = 48, 8, 3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def save_published(folder: Path) -> timm.models.VisionTransformer:
    """Random weights in the format of OwensLab/commfor-model-384, spread so that probabilities differ."""
    torch.manual_seed(0)
    body = timm.create_model("vit_small_patch16_384", num_classes=1).eval()
    torch.nn.init.normal_(body.head.weight, std=0.05)
    folder.mkdir()
    save_file({f"vit.{name}": tensor for name, tensor in body.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"device": "cuda", "model_size": "small"}))
    return body


class Files(Dataset):
    """Paths to normalised tensors."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        steps = [transforms.Resize(440), transforms.CenterCrop(384), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        self.transform = transforms.Compose(steps)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as picture:
            return self.transform(picture.convert("RGB"))


def plain_loop(body: torch.nn.Module, paths: list[Path]) -> list[float]:
    with torch.inference_mode():
        batches = [body(batch) for batch in DataLoader(Files(paths), BATCH, num_workers=1)]
    return torch.cat(batches)[:, 0].sigmoid().tolist()


def pipeline(folder: Path) -> Callable[[list[Path]], list[float]]:
    """The same shapes as a ViT of transformers: speed alone is compared, its weights are its own."""
    config = transformers.ViTConfig(
        hidden_size=384, num_hidden_layers=12, num_attention_heads=6, intermediate_size=1536, image_size=384, num_labels=1
    )
    processor = transformers.ViTImageProcessor(size={"height": 384, "width": 384})
    model = transformers.ViTForImageClassification(config).eval()
    pipe = transformers.pipeline("image-classification", model=model, image_processor=processor, device="cpu")
    return lambda paths: [one[0]["score"] for one in pipe([str(path) for path in paths], batch_size=BATCH)]


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as folder:
    place = Path(folder)
    body = save_published(place / "model")
    paths = save_photographs(place / "photos", IMAGES)
    few = save_photographs(place / "few", BATCH)
    pipe = pipeline(place)

    def scan(photographs: Path) -> None:
        forensic(
            *("scan", str(photographs), "-m", "commfor", "--weights", f"commfor={place / 'model'}"),
            *("-o", str(place / "scan.json"), "--no-store", "--offline"),
            cache=place,
        )

    truth = np.array(plain_loop(body, paths))
    ratios: dict[str, list[float]] = {"pipeline": [], "plain loop": []}
    for _ in range(ROUNDS):
        started = timed(lambda: scan(place / "few"))
        ours = (timed(lambda: scan(place / "photos")) - started) / (IMAGES - BATCH)
        ratios["pipeline"].append(timed(lambda: pipe(paths)) / IMAGES / ours)
        ratios["plain loop"].append(timed(lambda: plain_loop(body, paths)) / IMAGES / ours)
    report = json.loads((place / "scan.json").read_text())
    odds = np.array([row["findings"][0]["score"] for row in report["files"]])
    tell(
        "commfor on the CPU, 1-megapixel JPEG: seconds of the other / of the scan",
        **{name: round(statistics.median(values), 2) for name, values in ratios.items()},
        rounds={name: [round(value, 2) for value in values] for name, values in ratios.items()},
        largest_difference_of_probability=round(float(np.abs(1 / (1 + np.exp(-odds)) - truth).max()), 5),
        provider=report["run"]["methods"][0]["provider"],
    )
