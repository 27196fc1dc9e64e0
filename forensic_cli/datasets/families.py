"""Generators by family: the names that people write down for them are many, those who make them are few."""

import re
from collections.abc import Mapping

FAMILIES: Mapping[str, str] = {
    "GPT image": r"gpt-?image|gpt-?4o|4o image",
    "Nano Banana, Gemini": r"nano.?banana|gemini",
    "Midjourney": r"midjourney|niji",
    "Imagen": r"imagen\b|imagen ?[34]",
    "Seedream, Jimeng": r"seedream|jimeng|doubao",
    "Firefly": r"firefly",
    "Grok": r"grok|aurora",
    "DALL-E": r"dall",
    "FLUX": r"flux",
    "Z-Image, Qwen": r"z-?image|qwen",
    "GAN": r"gan\b|gan\d|gigagan|stylegan",
    "Stable Diffusion, SDXL, LCM": r"\bsd|stable|sdxl|lcm|dream|realistic|latent diffusion|ldm",
}
"""A regular expression for each, tried in this order, whatever the case of letters."""
OTHER = "others"


def family(generator: str) -> str:
    """The family of a generator by the name that a data set gives it; OTHER where it is none of these."""
    return next((name for name, words in FAMILIES.items() if re.search(words, generator, re.IGNORECASE)), OTHER)
