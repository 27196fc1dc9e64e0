"""Names that generators, editing programs and vendors leave in fields meant for the name of a program or a credit."""

import re
from dataclasses import dataclass
from functools import lru_cache

from forensic_cli.records import ClaimKind

# Looked for only in fields that name the program or the maker, never in captions or keywords.
_GENERATORS: tuple[tuple[str, str], ...] = (
    (r"\bmidjourney\b", "Midjourney"),
    (r"\bdall[\s·•∙_-]?e\b", "DALL·E"),
    (r"\b(openai|chatgpt|gpt-?image|gpt-?4o)\b", "OpenAI"),
    (r"\badobe[\s_]?firefly\b|^firefly( (image|video))?\b", "Adobe Firefly"),
    (r"\bnovelai\b", "NovelAI"),
    (r"\binvoke ?ai\b", "InvokeAI"),
    (r"\bcomfy ?ui\b", "ComfyUI"),
    (r"\bfooocus\b", "Fooocus"),
    (r"\b(automatic1111|stable-diffusion-webui)\b", "AUTOMATIC1111 web UI"),
    (r"\bswarm ?ui\b", "SwarmUI"),
    (r"\beasy diffusion\b", "Easy Diffusion"),
    (r"\bdraw things\b", "Draw Things"),
    (r"\bdiffusion ?bee\b", "DiffusionBee"),
    (r"\bmflux\b", "mflux"),
    (r"\b(dreamstudio|stability[\s.-]?ai|stable image (core|ultra))\b", "Stability AI"),
    (r"\b(stable[\s_-]?diffusion|sdxl)\b", "Stable Diffusion"),
    (r"\b(bing image creator|image creator from)\b|^image creator$", "Microsoft Image Creator"),
    (r"\bleonardo[. ]ai\b", "Leonardo.Ai"),
    (r"\bideogram\b", "Ideogram"),
    (r"\bblack forest labs\b|\bflux[.\s-]?[12]\b|\bflux[\s_-](dev|pro|schnell|ultra|kontext)\b", "FLUX"),
    (r"\bplayground ai\b|\bplaygroundai\b", "Playground AI"),
    (r"\bnight ?cafe( (creator|studio))?\b", "NightCafe"),
    (r"\bcraiyon\b", "Craiyon"),
    (r"\bnano banana\b|\bgoogle (ai|imagen|gemini|generative ai)\b|\bimagen \d|\bgemini \d", "Google AI"),
    (r"\b(grok|x\.?ai) (imagine|image|aurora)\b|^(grok|xai)$", "Grok"),
    (r"\bmeta ai\b|\bimagine with meta\b", "Meta AI"),
    (r"\bimage playground\b", "Apple Image Playground"),
    (r"\brecraft\b", "Recraft"),
    (r"\bkrea[. ]ai\b|^krea$", "Krea"),
    (r"\brunway ?ml\b", "Runway"),
    (r"\bseedream\b|\bdreamina\b|\bjimeng\b|\bdoubao\b|即梦|豆包", "ByteDance Seedream"),
    (r"\bkling ?ai\b|\bkolors\b|可灵", "Kling"),
    (r"\bhunyuan", "Hunyuan"),
    (r"\bqwen-?image\b|\btongyi\b|通义", "Qwen Image"),
    (r"\bhidream\b", "HiDream"),
    (r"\btensor\.?art\b", "Tensor.Art"),
    (r"\bcivitai\b", "Civitai"),
    (r"\bai[ -]generated\b", "a generative model"),
)
_ONE_OF = re.compile("|".join(f"(?P<g{i}>{pattern})" for i, (pattern, _) in enumerate(_GENERATORS)), re.IGNORECASE)

_EDITORS = re.compile(
    r"photoshop|lightroom|camera raw|\bgimp\b|affinity|capture one|snapseed|picsart|canva|paint\.net|pixelmator|darktable|"
    r"rawtherapee|acdsee|luminar|facetune|meitu|polarr|corel|paintshop|photoscape|imagemagick|irfanview|xnview|picasa|"
    r"aperture|vsco|krita|procreate|inkscape|illustrator|figma|blender|topaz|gigapixel|\bdxo\b|\bon1\b|photopea|pixlr|fotor|"
    r"digikam|shotwell|faststone|faceapp|remini|paint 3d|apple photos|nik collection|"
    r"microsoft (windows )?(photo|paint|designer)",
    re.IGNORECASE,
)

# Companies are credited with press photographs too.
_COMPANIES = re.compile(r"openai|stability[\s.-]?ai|x\.?ai|black forest labs|civitai|meta ai", re.IGNORECASE)


@dataclass(frozen=True)
class Credit:
    """A phrase that a vendor writes as credit; `words` completes the sentence "it says that ..."."""

    pattern: re.Pattern[str]
    kind: ClaimKind
    words: str
    watermarked: bool = False  # the vendor is known to put an invisible watermark in as well


def _credit(pattern: str, kind: ClaimKind, words: str, watermarked: bool = False) -> Credit:
    return Credit(re.compile(pattern, re.IGNORECASE), kind, words, watermarked)


_CREDITS = (
    _credit(r"(made|created|generated) (with|by) google ai\b", "generated", "Google AI made it", watermarked=True),
    _credit(r"edited (with|by) google ai\b", "edited", "Google AI edited it", watermarked=True),
    _credit(r"apple photos clean up\b", "edited", "Apple's Clean Up removed something from it"),
    _credit(r"(apple )?image playground\b", "generated", "Apple's Image Playground made it"),
    _credit(r"(imagined|made|created|generated) (with|by) meta ai\b|imagined with ai\b", "generated", "Meta AI made it"),
    _credit(r"edited (with|by) (generative )?ai\b", "edited", "a generative model edited it"),
    _credit(
        r"(image |picture )?((is |was )?(ai[ -]generated|generated (by|with|using) (generative )?ai)|"
        r"(made|created) (by|with) ai)"
        r"( image| picture)?[.!]?$",
        "generated",
        "a generative model made it",
    ),
)


def generator(text: str) -> str | None:
    """The generator that a program's or maker's name belongs to."""
    return _generator(text[:200])


@lru_cache(2048)  # the same cameras and programs come again and again
def _generator(text: str) -> str | None:
    match = _ONE_OF.search(text)
    return _GENERATORS[int(match.lastgroup[1:])][1] if match and match.lastgroup else None


def sole_generator(text: str) -> str | None:
    """The generator, only if the text is the name of a product and no more: for credits, where people name one another."""
    line = text.strip(" .\0")
    if _COMPANIES.fullmatch(line):
        return None
    for name in (line, line.removesuffix(".com").removesuffix(" AI")):
        match = _ONE_OF.fullmatch(name) if len(name) <= 60 else None
        if match and match.lastgroup:
            return _GENERATORS[int(match.lastgroup[1:])][1]
    return None


def is_editor(text: str) -> bool:
    """Whether a program's name is that of an image editor."""
    return _is_editor(text[:200])


@lru_cache(2048)
def _is_editor(text: str) -> bool:
    return bool(_EDITORS.search(text))


def credit(text: str) -> Credit | None:
    """The vendor's phrase with which a credit begins."""
    line = text.strip()[:300]
    return next((known for known in _CREDITS if known.pattern.match(line)), None)
