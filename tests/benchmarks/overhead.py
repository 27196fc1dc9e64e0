"""What an image costs besides the network: a scan of 1-megapixel JPEGs with a tiny DINOv2, less its forward passes."""

import statistics
import tempfile
import time
from pathlib import Path

import torch
from common import TINY, save_network, save_photographs, tell
from scanning import Scanner

IMAGES, BATCH, ROUNDS = 128, 8, 5

with tempfile.TemporaryDirectory() as folder:
    scanner = Scanner(["rigid"], save_network(Path(folder, "network"), **TINY))
    photographs = save_photographs(Path(folder, "photos"), IMAGES)
    tensors = torch.randn(BATCH, 3, 224, 224)
    scanner.run(photographs, BATCH)
    wholes, networks = [], []
    for _ in range(ROUNDS):
        wholes.append(scanner.run(photographs, BATCH)[0])
        start = time.perf_counter()
        with torch.inference_mode():
            for _ in range(2 * IMAGES // BATCH):
                scanner.model(tensors)
        networks.append(time.perf_counter() - start)
    whole, network = statistics.median(wholes), statistics.median(networks)
    tell(
        "overhead per image, rigid on a tiny DINOv2, CPU, 1-megapixel JPEG",
        milliseconds=round(1000 * (whole - network) / IMAGES, 2),
        whole_milliseconds=round(1000 * whole / IMAGES, 2),
        images_per_second=round(IMAGES / whole, 1),
    )
