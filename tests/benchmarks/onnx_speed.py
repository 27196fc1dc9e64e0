"""An exported network in ONNX Runtime, float32 and int8, against the same network in eager torch: two threads each."""

import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import timm
import torch
from common import tell

from forensic_cli.classifier import Classifier, Look
from forensic_cli.detector import Session
from forensic_cli.engine.exporting.delivery import deliver
from forensic_cli.engine.exporting.pictures import pictures
from forensic_cli.features.onnx_network import OnnxNetwork
from forensic_cli.features.torch_network import Scorer, TorchNetwork
from forensic_cli.records import MethodUse

NETWORKS = {"tf_efficientnet_lite0": (224, 32), "vit_small_patch16_384": (384, 8)}  # side and number of the crops
THREADS, ROUNDS = 2, 7


def seconds(way: TorchNetwork | OnnxNetwork, crops: np.ndarray) -> float:
    start = perf_counter()
    way(crops)
    return perf_counter() - start


torch.set_num_threads(THREADS)
os.cpu_count = lambda: THREADS  # by which OnnxNetwork takes its own
for name, (side, count) in NETWORKS.items():
    torch.manual_seed(0)
    classifier = Classifier(name, Look(side))
    scorer = Scorer(timm.create_model(name, num_classes=1).eval(), classifier).eval()
    shown = pictures(classifier.look, ())
    crops = np.stack(shown.crops[:count])
    ways: dict[str, TorchNetwork | OnnxNetwork] = {"torch": TorchNetwork(scorer, classifier, Session())}
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("fp32", "int8"):
            use = MethodUse(name, "benchmark", "0", {}, ())
            done = deliver(scorer, classifier, use, shown, Path(folder, f"{precision}.onnx"), precision)
            ways[precision], sizes[precision] = OnnxNetwork.load(done.file, Session()), done.bytes
    with torch.inference_mode():
        rounds = [{key: seconds(way, crops) for key, way in ways.items()} for _ in range(ROUNDS + 1)][1:]
    for precision in ("fp32", "int8"):
        ratios = [one["torch"] / one[precision] for one in rounds]
        print(f"{name} {precision}: {' '.join(f'{ratio:.2f}' for ratio in ratios)}", file=sys.stderr)
        tell(
            f"eager torch / ONNX {precision}, {name} at {side}, CPU",
            ratio=round(statistics.median(ratios), 2),
            crops_per_second={key: round(count / statistics.median(one[key] for one in rounds), 1) for key in ways},
            megabytes=round(sizes[precision] / 1e6, 1),
            threads=THREADS,
        )
