"""What was tried for the probe that comes with the tool: each row on folds of the images that are trained on.

python tests/benchmarks/probe_trials.py split.csv DATASET...   (the images that the split calls train; tokens are kept)

Whole sources and generators are left out in turn. "met": the same images cut, resampled and re-encoded at random.
"""

import sys
from dataclasses import replace
from pathlib import Path

from forensic_cli.datasets import read_dataset
from forensic_cli.detector import Session
from forensic_cli.features.encoders import encoder
from forensic_cli.training.division import divided, read_parts
from forensic_cli.training.embedding import Tokens, embedded
from forensic_cli.weights import locate
from forensic_detectors.probe.head import Reading
from forensic_detectors.probe.recipes import Recipe
from forensic_detectors.probe.training import crossed

SHIPPED = replace(Recipe(), members=1, folds=4)
TRIALS = {
    "as shipped, one member": {},
    "as shipped": {"members": 4},
    "class token after block 9": {"classes": (9,), "means": ()},
    "class tokens after blocks 6, 9": {"means": ()},
    "class tokens after blocks 5, 7, 9": {"classes": (5, 7, 9), "means": ()},
    "class tokens 6, 9, means 3 to 6": {"means": (3, 4, 5, 6)},
    "means 4, 6": {"classes": ()},
    "images as they are alone": {"views": 1},
    "logistic regression": {"head": "logistic"},
    "logistic regression, images as they are": {"head": "logistic", "views": 1},
    "linear SVM": {"head": "svm", "strength": 0.0005},
    "pictures by hand weighted 1": {"handmade": 1.0},
    "pictures by hand weighted 4": {"handmade": 4.0},
    "every image the same": {"balance": 1.0},
    "every source the same": {"balance": 0.0},
    "64 wide": {"hidden": 64},
    "hidden layer alone": {"linear": 0.0},
    "hidden layer and logistic regression, half each": {"linear": 0.5},
}


def seen(split: Path, places: list[str]) -> tuple[Tokens, Reading]:
    """What the encoder sees of the images to train on, in as many forms as the recipe asks for."""
    session = Session(offline=True)
    run = session.once(encoder, weights=SHIPPED.encoder)
    digest = locate(SHIPPED.encoder).sha256
    known = divided(read_dataset(places).items, 0.2, 0, read_parts(split)).known
    reading = Reading(SHIPPED.encoder.source, digest, run.statistics.look, SHIPPED.classes, SHIPPED.means)
    return embedded(known, run, digest, reading.look, SHIPPED.views, 0, 2, lambda *told: None), reading


if __name__ == "__main__":
    tokens, reading = seen(Path(sys.argv[1]), sys.argv[2:])
    print("| what | AUROC native, met | recall at 5 % FPR | at 1 % | by hand over 5 %, 1 % |")
    print("|---|---|---|---|---|")
    for name, changes in TRIALS.items():
        recipe = replace(SHIPPED, **changes)
        chosen = replace(reading, classes=recipe.classes, means=recipe.means)
        found = crossed(recipe, tokens.items, chosen.features(tokens.values[:, : recipe.views]), 0, lambda *told: None)
        cells = [("auroc_native", "auroc_met"), ("recall_native_0.05", "recall_met_0.05")]
        cells += [("recall_native_0.01", "recall_met_0.01"), ("handmade_native_0.05", "handmade_native_0.01")]
        words = [", ".join(f"{found[one]:.3f}" if one in found else "-" for one in pair) for pair in cells]
        print(f"| {name} | {' | '.join(words)} |", flush=True)
