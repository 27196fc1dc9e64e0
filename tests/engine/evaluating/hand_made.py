"""An evaluation made by hand: scores drawn at random, rows computed by scikit-learn."""

import hashlib

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from forensic_cli.engine.evaluating.measuring.results import MEAN, NONE, POOLED, Evaluation, Image
from forensic_cli.records import MethodUse, Run

HOSTILE = '<script>alert("1")</script> & $x_1$ \\end{tabular} | *b* 50% #{[`~^\u202e\x07'


def run(methods, command="forensic evaluate data/ -o results/"):
    uses = tuple(MethodUse(name, "forensic-cli", "1.0", {}, ()) for name in methods)
    return Run("id", "2026-01-01T00:00:00+00:00", None, "1.0", "3.11", "Linux", command, 0, "cpu", "float32", "local", uses)


def image(path, label, generator="", kind=""):
    digest = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
    return Image(path, digest, label, generator, "source", kind or label, "JPEG", 640, 480, 1234)


def pictures(photographs=80, handmade=20, generators=("flux", "sdxl", "midjourney"), each=30):
    some = [image(f"photos/{number}.jpg", "photograph") for number in range(photographs)]
    some += [image(f"art/{number}.png", "handmade", kind="handmade: painting") for number in range(handmade)]
    return some + [image(f"{name}/{number}.png", "generated", name) for name in generators for number in range(each)]


def rows(images, scores):
    generated = np.array([one.label == "generated" for one in images])
    names = sorted({one.generator for one in images if one.generator})
    made = []
    for (method, transform), values in scores.items():
        singles = []
        for name in (*names, POOLED):
            chosen = ~generated | np.array([name in (POOLED, one.generator) for one in images])
            chosen &= np.isfinite(values)
            singles.append(_row(method, transform, name, generated[chosen], values[chosen]))
        known = [one["auroc"] for one in singles[:-1] if one["auroc"] is not None]
        mean = {**singles[-1], "generator": MEAN, "auroc": float(np.mean(known)) if known else None}
        made += [*singles, mean]
    return made


def _row(method, transform, generator, labels, values):
    row = {"method": method, "transform": transform, "generator": generator, "n_left_out": 0, "brier": None}
    row |= {"n_real": int((~labels).sum()), "n_generated": int(labels.sum()), "accuracy_calibrated": None}
    if labels.all() or not labels.any():
        return {**row, "auroc": None, "auroc_interval": None, "ap": None, "accuracy_0.5": None, "tpr_at_fpr": {}}
    auroc = float(roc_auc_score(labels, values))
    at = {str(fpr): float(np.mean(values[labels] > np.quantile(values[~labels], 1 - fpr))) for fpr in (0.01, 0.05)}
    return {
        **row,
        "auroc": auroc,
        "auroc_interval": [max(0.0, auroc - 0.03), min(1.0, auroc + 0.03)],
        "ap": float(average_precision_score(labels, values)),
        "accuracy_0.5": float(np.mean((values > 0) == labels)),
        "tpr_at_fpr": at,
    }


def evaluation(images=None, methods=("commfor.lite", "rigid"), transforms=(NONE, "jpeg:90", "jpeg:70", "webp:80"), **rest):
    """Each method a little worse than the one before; each transform costs a little more."""
    images = pictures() if images is None else images
    generator = np.random.default_rng(0)
    generated = np.array([one.label == "generated" for one in images], float)
    scores = {
        (method, transform): generator.normal(size=len(images)) + generated * (2.5 - 0.6 * place - 0.3 * step)
        for place, method in enumerate(methods)
        for step, transform in enumerate(transforms)
    }
    settings = {
        "run": run(methods),
        "units": dict.fromkeys(methods[:1], "log-odds"),
        "left_out": [("broken.jpg", "cannot be decoded: truncated")],
        "rows": rows(images, scores),
    }
    return Evaluation(**{"images": images, "transforms": transforms, "scores": scores, **settings, **rest})
