"""The traces that image generators leave in text fields: one recogniser each, in one table.

A key alone is never enough (`prompt`, `parameters` and `Software` are used by others), nor is a name in a caption: each
recogniser asks for the structure that its program writes.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from forensic_cli.records import ClaimKind
from forensic_detectors.provenance.fields import Block, Field, clean, json_object, quoted

_SEARCHED = 1 << 18  # characters of one field that the patterns see; JSON is read whole


@dataclass(frozen=True)
class Trace:
    """What a recogniser read: whose it is, and the model and the prompt where they are given."""

    generator: str
    model: str = ""
    prompt: str = ""
    note: str = ""
    kind: ClaimKind = "generated"

    @property
    def words(self) -> str:
        """Completes the sentence "it says that ..."."""
        verb = "generated" if self.kind == "generated" else "handled"
        model = f", model {quoted(self.model, 60)}" if clean(self.model) else ""
        prompt = f", prompt {quoted(self.prompt)}" if clean(self.prompt) else ""
        return f"{self.generator} {verb} it{model}{prompt}{self.note}"


@dataclass(frozen=True)
class Recogniser:
    """`read` is asked about the fields called one of `keys` (lower case), with the block around each."""

    keys: frozenset[str]
    read: Callable[[Field, Block], Trace | None]


def traces(block: Block) -> Iterator[tuple[Trace, Field]]:
    """The traces in a block: at most one for each field and one for each generator."""
    seen: set[str] = set()
    for field in block.fields:
        key = field.name.lower()
        for recogniser in _RECOGNISERS:
            trace = recogniser.read(field, block) if key in recogniser.keys else None
            if trace:
                if trace.generator not in seen:
                    seen.add(trace.generator)
                    yield trace, field
                break


def _first(data: dict[str, Any], *keys: str) -> str:
    """The first of these entries that is a text or a number."""
    return next((str(data[key]) for key in keys if isinstance(data.get(key), str | int | float) and data[key] != ""), "")


def _has(data: Collection[str], *keys: str) -> bool:
    return all(key in data for key in keys)


# The settings line of AUTOMATIC1111's web UI, which many others write too.
_STEPS = re.compile(r"(?:^|\s)Steps: ?\d+, ")
_SETTING = re.compile(r"(?:^|, |\s)(Sampler|CFG scale|Seed|Size|Model hash|Model|Guidance Scale|Schedule type): ?[^,\s]")
_MODEL = re.compile(r"\bModel: ([^,\n]{1,120})")
_WRITERS = (
    (re.compile(r"\bVersion: stable-diffusion\.cpp|\bSDCPP: "), "stable-diffusion.cpp"),
    (re.compile(r"\bVersion: ComfyUI"), "ComfyUI"),
    (re.compile(r"\bVersion: Fooocus"), "Fooocus"),
    (re.compile(r"\bApp: SD\.Next"), "SD.Next"),
    (re.compile(r"\bCivitai (resources|metadata): "), "Civitai"),
    (re.compile(r"\bVersion: (f\d|neo|classic)"), "Stable Diffusion WebUI Forge"),
    (re.compile(r"\bVersion: v?1\.\d"), "AUTOMATIC1111 web UI"),
)


def _settings_line(field: Field, block: Block) -> Trace | None:
    text = field.text[:_SEARCHED]
    steps = None
    for steps in _STEPS.finditer(text):  # noqa: B007 - the last one: prompts may quote others
        pass
    if steps is None:
        return None
    tail = text[steps.start() :]
    if len({match[1] for match in _SETTING.finditer(tail)}) < 2:
        return None
    generator = next((name for pattern, name in _WRITERS if pattern.search(tail)), "a Stable Diffusion interface")
    if block.text("CreatorTool") == "Draw Things":
        generator = "Draw Things"
    model = _MODEL.search(tail)
    prompt = re.split(r"\nNegative prompt: ", text[: steps.start()], maxsplit=1)[0]
    return Trace(generator, model[1] if model else "", prompt)


# ComfyUI: a graph of nodes. Only one that samples or calls a generator says that the image was generated.
_GRAPH = re.compile(r"^\s*(?:prompt|workflow)\s?:\s?(?=\{)", re.IGNORECASE)
_MAKES_IMAGES = re.compile(
    r"sampler|vaedecode|text ?to ?image|gptimage|dall-?e|fluxpro|fluxkontext|ideogram|recraft|stabilitystable|geminiimage|"
    r"seedream|nanobanana|lumaimage|imagen",
    re.IGNORECASE,
)


def _graph(field: Field, block: Block) -> Trace | None:
    match = _GRAPH.match(field.text, 0, 40)
    data = json_object(field.text[match.end() :]) if match else field.json
    nodes = [node for node in data.values() if isinstance(node, dict) and _has(node, "class_type", "inputs")]
    if nodes:
        kinds = [str(node["class_type"]) for node in nodes]
    elif isinstance(data.get("nodes"), list) and _has(data, "links"):
        kinds = [str(node["type"]) for node in data["nodes"] if isinstance(node, dict) and "type" in node]
    else:
        return None
    inputs = [node["inputs"] for node in nodes if isinstance(node["inputs"], dict)]
    model = next((name for each in inputs if (name := _first(each, "ckpt_name", "unet_name", "model_name"))), "")
    encoded = [each for each, kind in zip(inputs, kinds, strict=False) if "textencode" in kind.lower()]
    prompt = next((each["text"] for each in encoded if isinstance(each.get("text"), str)), "")
    if any(_MAKES_IMAGES.search(kind) for kind in kinds):
        return Trace("ComfyUI", model, prompt)
    return Trace("ComfyUI", kind="software") if kinds else None


def _civitai(field: Field, block: Block) -> Trace | None:
    extra = field.json.get("extraMetadata")
    data = json_object(extra) if isinstance(extra, str) else {}
    return Trace("Civitai", prompt=_first(data, "prompt")) if _has(data, "prompt") else None


def _swarm(field: Field, block: Block) -> Trace | None:
    data = field.json.get("sui_image_params")
    return Trace("SwarmUI", _first(data, "model"), _first(data, "prompt")) if isinstance(data, dict) else None


def _fooocus(field: Field, block: Block) -> Trace | None:
    data = {key.lower().replace(" ", "_"): value for key, value in field.json.items()}
    ours = str(data.get("version", "")).startswith("Fooocus") or _has(data, "base_model", "performance")
    if not data or not (ours or block.text("fooocus_scheme") or _has(data, "metadata_scheme", "base_model")):
        return None
    return Trace("Fooocus", _first(data, "base_model"), _first(data, "prompt"))


def _invoke(field: Field, block: Block) -> Trace | None:
    data = field.json
    model = data.get("model")
    if field.name.lower() == "sd-metadata":
        image = data.get("image")
        if "invoke" not in str(data.get("app_id", "")).lower() and not isinstance(image, dict):
            return None
        prompt = image.get("prompt", "") if isinstance(image, dict) else ""
        if isinstance(prompt, list) and prompt and isinstance(prompt[0], dict):
            prompt = prompt[0].get("prompt", "")
        return Trace("InvokeAI", _first(data, "model_weights"), str(prompt))
    if not (_has(data, "app_version") or _has(data, "generation_mode") or _has(data, "positive_prompt", "seed")):
        return None
    name = _first(model, "name", "model_name") if isinstance(model, dict) else ""
    return Trace("InvokeAI", name, _first(data, "positive_prompt"))


_DREAM = tuple(re.compile(flag) for flag in (r" -s ?\d", r" -S ?\d", r" -[WHCA] ?\w"))


def _dream(field: Field, block: Block) -> Trace | None:
    """InvokeAI's oldest form, its own command line: `"a cat" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms`."""
    text = field.text[:8000]
    if not all(flag.search(text) for flag in _DREAM):
        return None
    return Trace("InvokeAI", prompt=_DREAM[0].split(text)[0].strip(' "'))


def _novelai(field: Field, block: Block) -> Trace | None:
    data = field.json
    named = "NovelAI" in (block.text("Software"), data.get("Software")) or block.text("Source").startswith("NovelAI")
    inner = json_object(str(data["Comment"])) if isinstance(data.get("Comment"), str) else data
    if not named or not ({"sampler", "steps", "uc", "scale"} & inner.keys()):
        return None
    model = block.text("Source") or _first(data, "Source")
    prompt = _first(inner, "prompt") or block.text("Description")
    return Trace("NovelAI", model, prompt, " (the copy that it keeps in the alpha channel is not read here)")


def _easy(field: Field, block: Block) -> Trace | None:
    data = field.json or {each.name: each.text for each in block.fields}
    model = _first(data, "use_stable_diffusion_model", "Stable Diffusion model")
    if not model or not (_has(data, "num_inference_steps") or _has(data, "Steps") or _has(data, "Sampler")):
        return None
    return Trace("Easy Diffusion", model, _first(data, "prompt", "Prompt"))


def _drawthings(field: Field, block: Block) -> Trace | None:
    data = field.json
    return Trace("Draw Things", _first(data, "model"), _first(data, "c")) if _has(data, "c", "model", "seed") else None


def _mflux(field: Field, block: Block) -> Trace | None:
    data = field.json
    return Trace("mflux", _first(data, "model", "base_model"), _first(data, "prompt")) if "mflux_version" in data else None


_JOB = re.compile(r"\bJob ID: [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_MJ_VERSION = re.compile(r"(?:\s|^)--(?:v|version|niji) (\d[\d.]*)\b")
_MJ_OTHER = re.compile(r"(?:\s|^)--(?:ar|aspect|s|stylize|q|quality|chaos|c|style|seed|raw|iw|weird|profile|p)\b")


def _midjourney(field: Field, block: Block) -> Trace | None:
    text = field.text[:8000]
    version = _MJ_VERSION.search(text)
    if not (_JOB.search(text) or (version and _MJ_OTHER.search(text))):
        return None
    return Trace("Midjourney", f"version {version[1]}" if version else "", _JOB.split(text)[0])


_SIGNATURE = re.compile(r"\s*Signature:\s?[A-Za-z0-9+/=_-]{40,4000}\s*")
_UUID = re.compile(r"\s*[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\s*", re.IGNORECASE)


def _grok(field: Field, block: Block) -> Trace | None:
    signed = _SIGNATURE.fullmatch(field.text[:5000]) and _UUID.fullmatch(block.text("Artist")[:60])
    return Trace("xAI's Grok", note=" (its signature cannot be checked here)") if signed else None


def _tagged(field: Field, block: Block) -> Trace | None:
    """The reference code of FLUX and its kin: Software `AI generated;txt2img;flux`, maker and model as Make and Model."""
    tag, _, rest = field.text.partition(";")
    if tag.strip().lower() != "ai generated" or not rest:
        return None
    maker = clean(block.text("Make") or rest.rpartition(";")[2], 40)
    return Trace(f"a model by {maker}", block.text("Model"), block.text("ImageDescription"))


_ALIKE = {
    "num_inference_steps": "steps",
    "guidance_scale": "guidance",
    "cfg_scale": "guidance",
    "cfgscale": "guidance",
    "cfg": "guidance",
    "guidance": "guidance",
    "sampler": "guidance",
    "sampler_name": "guidance",
    "scheduler": "guidance",
    "model_name": "model",
    "base_model": "model",
}


def _anybody(field: Field, block: Block) -> Trace | None:
    """Prompt, seed, steps and guidance or sampler together, as JSON or as text fields: some diffusion pipeline."""
    data = field.json or ({each.name: each.text for each in block.fields} if field.name.lower() == "prompt" else {})
    plain = {key.lower().replace(" ", "_").replace("-", "_"): value for key, value in data.items()}
    for key, meaning in _ALIKE.items():
        if key in plain:
            plain.setdefault(meaning, plain[key])
    if not (_has(plain, "prompt", "seed", "steps", "guidance")):
        return None
    return Trace("a diffusion model", _first(plain, "model"), _first(plain, "prompt"))


_COMMENTS = frozenset({"usercomment", "comment", "xpcomment"})
_CAPTIONS = frozenset({"imagedescription", "description", "documentname"})
_SETTINGS = _COMMENTS | _CAPTIONS | {"parameters", "generation_data", "metadata", "prompt"}

_RECOGNISERS = (
    Recogniser(frozenset({"software"}), _tagged),
    Recogniser(_COMMENTS | {"imagedescription"}, _novelai),
    Recogniser(frozenset({"parameters"}) | _COMMENTS, _swarm),
    Recogniser(frozenset({"parameters"}) | _COMMENTS, _fooocus),
    Recogniser(frozenset({"invokeai_metadata", "sd-metadata"}), _invoke),
    Recogniser(frozenset({"dream"}), _dream),
    Recogniser(_COMMENTS | {"use_stable_diffusion_model", "stable diffusion model"}, _easy),
    Recogniser(_COMMENTS, _drawthings),
    Recogniser(_COMMENTS, _mflux),
    Recogniser(_COMMENTS, _civitai),
    Recogniser(frozenset({"prompt", "workflow", "make", "model"}) | _COMMENTS | _CAPTIONS, _graph),
    Recogniser(_SETTINGS, _settings_line),
    Recogniser(_COMMENTS | _CAPTIONS, _midjourney),
    Recogniser(frozenset({"imagedescription"}), _grok),
    Recogniser(_SETTINGS, _anybody),
)
