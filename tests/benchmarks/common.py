"""What the benchmarks share: networks of true shapes with random weights, photographs of one megapixel, a line of JSON."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "mlp_ratio": 4}
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "mlp_ratio": 2}


def save_network(folder: Path, **shape: int) -> Path:
    """A random DINOv2 in transformers format."""
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.Dinov2Config(image_size=518, patch_size=14, layerscale_value=0.5, **shape)
    transformers.utils.logging.disable_progress_bar()
    transformers.Dinov2Model(config).save_pretrained(folder)
    return folder


def save_photographs(folder: Path, count: int, size: tuple[int, int] = (1152, 868)) -> list[Path]:
    """JPEGs of a megapixel: scikit-learn's photographs enlarged, each with grain of its own."""
    from sklearn.datasets import load_sample_images

    folder.mkdir(parents=True, exist_ok=True)
    sources = [Image.fromarray(image).resize(size, Image.Resampling.LANCZOS) for image in load_sample_images().images]
    paths = []
    for index in range(count):
        grain = np.random.default_rng(index).normal(0, 4, (size[1], size[0], 3))
        picture = np.clip(np.asarray(sources[index % 2]) + grain, 0, 255).astype(np.uint8)
        paths.append(folder / f"photo_{index:04d}.jpg")
        Image.fromarray(picture).save(paths[-1], quality=90)
    return paths


def forensic(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """One command line in a process of its own."""
    environment = {**os.environ, "FORENSIC_CACHE": str(cache)}
    command = [sys.executable, "-m", "forensic_cli", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment)


def tell(name: str, **figures: object) -> None:
    print(json.dumps({"benchmark": name, "cores": os.cpu_count(), "python": platform.python_version(), **figures}))
