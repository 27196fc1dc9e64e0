"""How much of a scan is the network: bare forward passes on decoded tensors against `rigid` end to end from JPEG files.

Same network (DINOv2-L shapes, random weights), number format, threads and batch size; the two are taken in turn.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch
from common import LARGE, save_network, save_photographs, tell
from scanning import Scanner

IMAGES, BATCH, ROUNDS = 16, 8, 3


def bare(model: torch.nn.Module, tensors: torch.Tensor) -> float:
    """Two forward passes for each image, clean and noisy, as rigid needs them."""
    start = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, IMAGES, BATCH):
            for _ in range(2):
                model(tensors[first : first + BATCH])
    return time.perf_counter() - start


with tempfile.TemporaryDirectory() as folder:
    scanner = Scanner(["rigid"], save_network(Path(folder, "network"), **LARGE))
    photographs = save_photographs(Path(folder, "photos"), IMAGES)
    tensors = torch.randn(IMAGES, 3, 224, 224)
    scanner.run(photographs[:BATCH], BATCH)
    rounds = []
    for number in range(ROUNDS):
        alone = bare(scanner.model, tensors)
        whole, _ = scanner.run(photographs, BATCH)
        rounds.append((alone, whole))
        print(f"round {number + 1}: {alone:.1f} s alone, {whole:.1f} s whole", file=sys.stderr)
    tell(
        "forward passes alone / whole scan, rigid, DINOv2-L, float32, CPU, 1-megapixel JPEG",
        ratio=round(statistics.median(alone / whole for alone, whole in rounds), 3),
        images_per_second=round(statistics.median(IMAGES / whole for _, whole in rounds), 3),
        threads=torch.get_num_threads(),
    )
