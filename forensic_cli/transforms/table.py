"""The transforms that come with the tool: a new one is a function and a line here."""

from typing import get_args

from forensic_cli.transforms import codecs, geometry, journeys, light, sizes
from forensic_cli.transforms.kinds import Kind, Number, Word

_QUALITY = Number("quality", 0, 100, 80, whole=True)
_KERNEL = Word("kernel", ("bicubic", "bilinear", "box", "hamming", "lanczos", "nearest"))
_WHERE = Word("where", get_args(geometry.Where))
_SCREENS = ", ".join(f"{name} {width} x {height}" for name, (width, height) in journeys.SCREENS.items())
_PLATFORMS = ", ".join(f"{name} {side} and JPEG {quality}" for name, (side, quality) in journeys.PLATFORMS.items())

TABLE: dict[str, Kind] = {
    "none": Kind(lambda image: image, "The image as it is"),
    "jpeg": Kind(
        codecs.jpeg,
        "Saved as JPEG; jpeg:90+jpeg:70 is saved twice, jpeg:90+trim:4+jpeg:70 with blocks that do not match",
        (Number("quality", 1, 100, 70, whole=True), Word("chroma", ("420", "422", "444"))),
    ),
    "webp": Kind(codecs.webp, "Saved as lossy WebP", (_QUALITY,), codec="webp"),
    "avif": Kind(codecs.avif, "Saved as AVIF, 4:2:0", (_QUALITY,), codec="avif"),
    "resize": Kind(
        sizes.scale,
        "Both sides times FACTOR; it stays at that size",
        (Number("factor", 0.01, 4, 0.5), _KERNEL),
    ),
    "rescale": Kind(
        sizes.rescale,
        "Both sides times 1 - FRACTION or 1 + FRACTION, by chance, and back to the former size",
        (Number("fraction", 0.01, 0.99, 0.3), _KERNEL),
        seeded=True,
    ),
    "halve": Kind(sizes.halve, "Half as wide and high, by area"),
    "size": Kind(
        sizes.exactly,
        "Resized to WIDTH x HEIGHT pixels, whatever its shape",
        (Number("width", 1, 20_000, 256, whole=True), Number("height", 1, 20_000, 256, whole=True), _KERNEL),
    ),
    "short": Kind(
        sizes.short,
        "The shorter side brought to SIDE pixels, larger or smaller",
        (Number("side", 1, 20_000, 256, whole=True), _KERNEL),
    ),
    "long": Kind(
        sizes.long,
        "The longer side brought down to SIDE pixels; smaller images stay as they are",
        (Number("side", 1, 65_500, 1600, whole=True), _KERNEL),
    ),
    "crop": Kind(
        geometry.crop,
        "A square of SIDE pixels; smaller images are left out",
        (Number("side", 1, 20_000, 256, whole=True), _WHERE),
        seeded=True,
    ),
    "part": Kind(
        geometry.part,
        "A window of SHARE of the width and of the height",
        (Number("share", 0.01, 1, 0.5), _WHERE),
        seeded=True,
    ),
    "trim": Kind(
        geometry.trim,
        "Without its outermost PIXELS on every side; images that are too small are left out",
        (Number("pixels", 1, 10_000, 4, whole=True),),
    ),
    "flip": Kind(
        geometry.flip,
        "Mirrored left to right with this CHANCE",
        (Number("chance", 0, 1, 1, default=0.5),),
        seeded=True,
    ),
    "turn": Kind(
        geometry.turn, "Turned clockwise by quarters, without loss", (Word("degrees", get_args(geometry.Quarter)),)
    ),
    "rotate": Kind(
        geometry.rotate,
        "Turned by a random angle up to DEGREES either way, with black corners; FRAME expand cuts nothing off",
        (Number("degrees", 0.1, 180, 30), Word("frame", get_args(geometry.Frame))),
        seeded=True,
    ),
    "shear": Kind(
        geometry.shear,
        "Slanted along width or height, by chance, by a random angle up to DEGREES either way, black outside",
        (Number("degrees", 0.1, 80, 15),),
        seeded=True,
    ),
    "shift": Kind(
        geometry.shift,
        "Moved at random by up to FRACTION of its sides, black outside",
        (Number("fraction", 0.01, 1, 0.1),),
        seeded=True,
    ),
    "pad": Kind(
        sizes.pad,
        "Made wider or higher, by chance, by FRACTION in a random grey, then squeezed back to its size",
        (Number("fraction", 0.01, 4, 0.25),),
        seeded=True,
    ),
    "cutout": Kind(
        geometry.cutout,
        "One black rectangle of SHARE of the area",
        (Number("share", 0.01, 0.9, 0.05),),
        seeded=True,
    ),
    "grey": Kind(light.grey, "Without colour"),
    "jitter": Kind(
        light.jitter,
        "Brightness, contrast and saturation changed at random by up to STRENGTH, the hue by up to HUE of the circle",
        (Number("strength", 0, 1, 0.25, default=0.25), Number("hue", 0, 0.5, 0.1, default=0.1)),
        seeded=True,
    ),
    "tone": Kind(
        light.tone,
        "Contrast times GAIN, then LIFT grey levels of 255 brighter",
        (Number("gain", 0, 4, 1.2), Number("lift", -255, 255, 10, default=0)),
    ),
    "blur": Kind(light.blur, "Gaussian blur; SIGMA in pixels", (Number("sigma", 0.1, 100, 1),)),
    "noise": Kind(
        light.grain,
        "White Gaussian noise; SIGMA on the scale where black is 0 and white is 1, so that 0.05 are 12.75 grey levels",
        (Number("sigma", 0.001, 1, 0.05),),
        seeded=True,
    ),
    "screenshot": Kind(
        journeys.screenshot,
        f"As a screen shows it, kept without loss: {_SCREENS}; a phone enlarges too, a desktop does not",
        (Word("screen", get_args(journeys.Screen)),),
    ),
    "social": Kind(
        journeys.social,
        f"As platforms hand it out, by the longest side that they keep: {_PLATFORMS}, 4:2:0",
        (Word("platform", get_args(journeys.Platform)),),
    ),
}
