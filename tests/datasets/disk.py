"""Small data sets on disk: a tiny picture for every path, another one each time."""

import csv
import io
import os

import pytest
from PIL import Image

from forensic_cli.datasets import read_dataset
from forensic_cli.errors import UsageError


def picture(number, format="PNG"):
    stream = io.BytesIO()
    Image.new("RGB", (9, 7), (number % 256, number // 256 % 256, 77)).save(stream, format)
    return stream.getvalue()


def make(*paths):
    for number, path in enumerate(paths):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(picture(number, "JPEG" if path.lower().endswith(("jpg", "jpeg")) else "PNG"))


def table(path, rows):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def told(dataset):
    """By path: the generator of a generated image, "= source" of a photograph."""
    return {item.path: item.generator if item.generated else f"= {item.source}" for item in dataset.items}


def refusal(*arguments, **settings):
    with pytest.raises(UsageError) as caught:
        read_dataset(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)
