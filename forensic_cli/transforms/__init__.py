"""What happens to images on their way: real codecs and resampling on 8-bit RGB arrays (height, width, 3).

The functions do one thing with plain arguments; `parse` makes one of them, or a chain, from what a person types.
"""

from forensic_cli.transforms.codecs import Chroma, avif, jpeg, webp
from forensic_cli.transforms.journeys import STABILITY
from forensic_cli.transforms.kinds import Kind, Number, Word, described
from forensic_cli.transforms.light import blur, grey, noise, tone
from forensic_cli.transforms.sizes import Kernel, halve, resize
from forensic_cli.transforms.spelling import Transform, expand, parse

__all__ = [
    "STABILITY",
    "Chroma",
    "Kernel",
    "Kind",
    "Number",
    "Transform",
    "Word",
    "avif",
    "blur",
    "described",
    "expand",
    "grey",
    "halve",
    "jpeg",
    "noise",
    "parse",
    "resize",
    "tone",
    "webp",
]
