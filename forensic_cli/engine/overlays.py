"""Draws a map of evidence over the picture that it was found in, with a legend that says how to read it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LONGEST = 2048  # pixels a side; larger images are reduced
_SMALLEST = 512  # smaller ones are enlarged by a whole factor
_PHOTOGRAPH, _GENERATED = (0, 110, 255), (255, 112, 0)  # blue and orange, which every kind of colour vision tells apart
_PAPER, _INK = (20, 20, 20), (235, 235, 235)
_OPAQUE = 0.7  # how much of the picture the strongest evidence hides


@dataclass(frozen=True)
class Caption:
    """What the legend says: the method, its score, and the evidence that gets the full colour, with its unit."""

    method: str
    score: float | None
    scale: float
    unit: str = ""


def overlay(image: np.ndarray, evidence: np.ndarray, caption: Caption) -> Image.Image:
    """The image (height, width, 3) in grey, `evidence` (h, w) stretched over it in colour, the legend below.

    Evidence is above 0 where it speaks for "generated"; where it is NaN the image stays grey and is hatched.
    """
    picture = _sized(image)
    values, seen = _stretched(evidence, picture.size)
    thick = max(1, round(max(picture.size) / 800))
    drawn = _coloured(np.asarray(picture.convert("L")), values / caption.scale)
    drawn[~seen & _hatch(seen.shape, thick)] = _INK
    return _framed(Image.fromarray(drawn), caption, thick, hatched=not seen.all())


def _sized(image: np.ndarray) -> Image.Image:
    picture = Image.fromarray(image)
    longest = max(picture.size)
    if longest > LONGEST:
        size = [max(1, round(side * LONGEST / longest)) for side in picture.size]
        return picture.resize((size[0], size[1]), Image.Resampling.BICUBIC, reducing_gap=2.0)
    factor = max(1, _SMALLEST // longest)
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _stretched(evidence: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The map at the size (width, height) of a picture, linear between the centres of its cells; and where it is one."""
    seen = ~np.isnan(evidence)
    smooth, sharp = Image.Resampling.BILINEAR, Image.Resampling.NEAREST
    weight = np.asarray(Image.fromarray(seen.astype(np.float32)).resize(size, smooth))
    total = np.asarray(Image.fromarray(np.where(seen, evidence, 0).astype(np.float32)).resize(size, smooth))
    looked = np.asarray(Image.fromarray(seen.astype(np.uint8)).resize(size, sharp)) > 0
    looked &= weight > 1e-3
    return np.where(looked, total / np.where(looked, weight, 1), 0), looked


def _coloured(grey: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Grey (h, w) under colours as strong as `strength` (h, w), which is full at -1 and 1: (h, w, 3)."""
    colour = np.where(strength[..., None] > 0, np.array(_GENERATED, np.float32), np.array(_PHOTOGRAPH, np.float32))
    alpha = _OPAQUE * np.minimum(np.abs(strength), 1)[..., None]
    dimmed = 30 + 0.7 * grey[..., None].astype(np.float32)
    mixed: np.ndarray = (1 - alpha) * dimmed + alpha * colour
    return mixed.round().astype(np.uint8)


def _hatch(shape: Sequence[int], thick: int) -> np.ndarray:
    """Slanted lines, `thick` pixels wide."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    lines: np.ndarray = (rows + columns) // thick % 9 == 0
    return lines


def _framed(picture: Image.Image, caption: Caption, thick: int, hatched: bool) -> Image.Image:
    """The picture in the upper left corner, and below it the legend on as many lines as it needs."""
    font = ImageFont.load_default(min(32, max(14, picture.width // 44)))
    assert isinstance(font, ImageFont.FreeTypeFont)
    parts = _legend(caption, font, thick, hatched)
    line = parts[0].height
    gap = line // 2
    width = max(picture.width, max(part.width for part in parts) + 2 * gap)
    places, left, top = [], gap, picture.height
    for part in parts:
        if left > gap and left + part.width + gap > width:
            left, top = gap, top + line
        places.append((left, top))
        left += part.width + 2 * gap
    canvas = Image.new("RGB", (width, top + line), _PAPER)
    canvas.paste(picture)
    for part, place in zip(parts, places, strict=True):
        canvas.paste(part, place)
    return canvas


def _legend(caption: Caption, font: ImageFont.FreeTypeFont, thick: int, hatched: bool) -> list[Image.Image]:
    """Pictures of one height: method and score, the scale of colours, and what the hatching means."""
    score = "no score" if caption.score is None else f"score {caption.score + 0.0:.4g}"
    end = f"{caption.scale:g}"
    unit = f"{caption.unit}:  " if caption.unit else ""
    line, height = round(font.size * 1.9), round(font.size)
    grey = np.full((height, height * 7), 128)
    ramp = _coloured(grey, np.linspace(-1, 1, grey.shape[1])[None].repeat(height, axis=0))
    below, above = _words(f"{unit}photograph  -{end}  ", font), _words(f"  +{end}  generated", font)
    parts = [
        _row([_words(f"{caption.method}   {score}", font)], line),
        _row([below, Image.fromarray(ramp), above], line),
    ]
    if hatched:
        swatch = _coloured(np.full((height, height * 2), 128), np.zeros((height, height * 2)))
        swatch[_hatch(swatch.shape, thick)] = _INK
        parts.append(_row([Image.fromarray(swatch), _words("  not looked at", font)], line))
    return parts


def _words(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    above, below = font.getmetrics()
    picture = Image.new("RGB", (max(1, round(font.getlength(text))), above + below), _PAPER)
    ImageDraw.Draw(picture).text((0, 0), text, _INK, font)
    return picture


def _row(parts: Sequence[Image.Image], height: int) -> Image.Image:
    """Pictures side by side, in the middle of a row of this height."""
    row = Image.new("RGB", (sum(part.width for part in parts), height), _PAPER)
    left = 0
    for part in parts:
        row.paste(part, (left, (height - part.height) // 2))
        left += part.width
    return row
