"""The text that generators leave, in the formats that they write, and texts that only look like it."""

import json

import pytest
from provenance_files import (
    claims,
    exif,
    jpeg_exif,
    jpeg_with,
    jpeg_xmp,
    kinds,
    only,
    png_text,
    saved,
    user_comment,
)

from forensic_detectors.provenance.exif import user_comment as user_comment_text
from loops import each

A1111 = (
    "a castle on a hill, masterpiece\nNegative prompt: blurry, text\n"
    "Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 3141592653, Size: 512x768, "
    "Model hash: 6ce0161689, Model: dreamshaper_8, Version: v1.9.4"
)
FORGE = A1111.replace("v1.9.4", "f2.0.1v1.10.1-previous-665")
SD_CPP = (
    "a lovely cat\nSteps: 20, CFG scale: 7.000000, Guidance: 3.500000, Eta: 0.000000, Seed: 42, Size: 512x512, "
    "Model: sd_v1.4.safetensors, RNG: cuda, Sampler: euler_a, Version: stable-diffusion.cpp"
)
CIVITAI = 'a fox\nSteps: 25, Sampler: DPM++ 2M, CFG scale: 5, Seed: 7, Size: 832x1216, Civitai resources: [{"type":1}]'
COMFY = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20, "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "flux1-dev.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a glass bottle", "clip": ["4", 1]}},
}
WORKFLOW = {"last_node_id": 9, "nodes": [{"id": 3, "type": "KSampler"}, {"id": 8, "type": "VAEDecode"}], "links": []}
INVOKE = {
    "app_version": "4.2.7",
    "generation_mode": "txt2img",
    "positive_prompt": "a boat",
    "seed": 1,
    "model": {"name": "juggernaut"},
}
SD_METADATA = {
    "model": "stable diffusion",
    "model_weights": "stable-diffusion-1.5",
    "app_id": "invoke-ai/InvokeAI",
    "image": {"prompt": [{"prompt": "a red boat", "weight": 1}], "steps": 50, "seed": 1},
}
NOVELAI = {
    "steps": 28,
    "sampler": "k_euler_ancestral",
    "seed": 1,
    "scale": 5.0,
    "uc": "lowres",
    "prompt": "1girl, silver hair",
}
FOOOCUS = {
    "prompt": "an astronaut",
    "negative_prompt": "",
    "performance": "Speed",
    "base_model": "juggernautXL",
    "seed": "5",
}
SWARM = {"sui_image_params": {"prompt": "a photo of a cat", "model": "sd_xl_base_1.0", "seed": 1}, "sui_extra_data": {}}
EASY = {
    "prompt": "a hill",
    "seed": 3,
    "num_inference_steps": 25,
    "use_stable_diffusion_model": "sd-v1-4",
    "sampler_name": "euler",
}
DRAW_THINGS = {
    "c": "a red cube",
    "uc": "blue",
    "model": "flux_1.ckpt",
    "sampler": "Euler A",
    "seed": 2441935286,
    "steps": 8,
}
MFLUX = {"mflux_version": "0.9.0", "model": "schnell", "prompt": "a lemon", "seed": 2, "steps": 4}
MIDJOURNEY = "a tall tower at dusk --v 6.1 --ar 16:9 Job ID: 0b1a2c3d-1111-2222-3333-444455556666"
PIPELINE = {"prompt": "a pear", "seed": 11, "num_inference_steps": 30, "guidance_scale": 7.5, "model": "sd-turbo"}

IN_PNG = [
    ("AUTOMATIC1111 web UI", {"parameters": A1111}, ("dreamshaper_8", "a castle on a hill")),
    ("Stable Diffusion WebUI Forge", {"parameters": FORGE}, ("dreamshaper_8",)),
    ("stable-diffusion.cpp", {"parameters": SD_CPP}, ("sd_v1.4.safetensors", "a lovely cat")),
    ("ComfyUI", {"prompt": json.dumps(COMFY), "workflow": json.dumps(WORKFLOW)}, ("flux1-dev", "a glass bottle")),
    ("ComfyUI", {"workflow": json.dumps(WORKFLOW)}, ()),
    ("InvokeAI", {"invokeai_metadata": json.dumps(INVOKE)}, ("juggernaut", "a boat")),
    ("InvokeAI", {"sd_dash_metadata": json.dumps(SD_METADATA)}, ("stable-diffusion-1.5", "a red boat")),
    ("InvokeAI", {"Dream": '"a cat" -s 50 -S 42 -W 512 -H 512 -C 7.5 -A k_lms'}, ("a cat",)),
    (
        "NovelAI",
        {"Software": "NovelAI", "Source": "NovelAI Diffusion V4.5 4BDE2A90", "Comment": json.dumps(NOVELAI)},
        ("NovelAI Diffusion V4.5", "silver hair", "alpha channel"),
    ),
    ("Fooocus", {"fooocus_scheme": "fooocus", "parameters": json.dumps(FOOOCUS)}, ("juggernautXL", "an astronaut")),
    ("SwarmUI", {"parameters": json.dumps(SWARM)}, ("sd_xl_base_1.0", "a photo of a cat")),
    (
        "Easy Diffusion",
        {"use_stable_diffusion_model": "sd-v1-4", "num_inference_steps": "25", "prompt": "a hill"},
        ("sd-v1-4",),
    ),
    ("Midjourney", {"Description": MIDJOURNEY, "Author": "somebody"}, ("version 6.1", "a tall tower")),
    ("a diffusion model", {"parameters": json.dumps(PIPELINE)}, ("sd-turbo", "a pear")),
    (
        "a diffusion model",
        {"prompt": "a pear", "seed": "11", "steps": "30", "guidance_scale": "7.5"},
        ("a pear",),
    ),
]


@each("generator, texts, said", IN_PNG)
def test_png_text_of_each_generator(generator, texts, said):
    claim = only(png_text(**texts))
    assert (claim.kind, claim.trust) == ("generated", "declared")
    assert f"says that {generator} generated it" in claim.statement
    assert all(word in claim.statement for word in said), claim.statement
    assert claim.source.startswith("PNG text chunk `")


IN_COMMENT = [
    ("AUTOMATIC1111 web UI", A1111),
    ("Civitai", CIVITAI),
    ("Civitai", json.dumps({"6": {"inputs": {}}, "extraMetadata": json.dumps({"prompt": "a fox", "steps": 25})})),
    ("SwarmUI", json.dumps(SWARM)),
    ("Easy Diffusion", json.dumps(EASY)),
    ("mflux", json.dumps(MFLUX)),
    ("NovelAI", json.dumps({"Software": "NovelAI", "Source": "NovelAI Diffusion V3", "Comment": json.dumps(NOVELAI)})),
    ("Draw Things", json.dumps(DRAW_THINGS)),
]


@each("form", ["ASCII", "UTF-8", "UNICODE-BE", "UNICODE-LE", "UNICODE-UTF-8"])
@each("generator, text", IN_COMMENT)
def test_user_comment_in_each_character_set(generator, text, form):
    claim = only(user_comment(text, form))
    assert f"says that {generator} generated it" in claim.statement
    assert claim.kind == "generated"
    assert "UserComment" in claim.source


def test_a_prompt_in_chinese_comes_through_in_both_byte_orders():
    text = "山上的城堡 傍晚 远处有一条河" * 3 + A1111[A1111.index("\nSteps") :]
    for form in ("UNICODE-BE", "UNICODE-LE"):
        assert "山上的城堡" in only(user_comment(text, form)).statement


@pytest.mark.parametrize(("order", "encoding"), [("big", "utf-16-be"), ("little", "utf-16-le")])
def test_byte_order_of_the_block_decides_where_the_text_does_not(order, encoding):
    text = "山上的城堡"
    assert user_comment_text(b"UNICODE\0" + text.encode(encoding), order) == text


def test_comfyui_in_webp_and_in_a_jpeg_comment():
    block = exif({0x010F: "workflow:" + json.dumps(WORKFLOW), 0x0110: "prompt:" + json.dumps(COMFY)})
    claim = only(saved("WEBP", exif=block))
    assert "ComfyUI generated it" in claim.statement
    assert "WebP" in claim.source
    assert "ComfyUI generated it" in only(jpeg_with((0xFE, json.dumps(COMFY).encode()))).statement


def test_a_comfyui_graph_that_only_moves_pixels_is_software():
    graph = {"1": {"class_type": "LoadImage", "inputs": {}}, "2": {"class_type": "ImageScale", "inputs": {}}}
    assert kinds(png_text(prompt=json.dumps(graph))) == {"software"}


def test_draw_things_in_xmp_is_said_once():
    words = "a red cube\n-blue\nSteps: 8, Sampler: Euler A, Guidance Scale: 4.5, Seed: 2441935286, Model: flux_1.ckpt"
    data = jpeg_xmp(
        f"<dc:description><rdf:Alt><rdf:li xml:lang='x-default'>{words}</rdf:li></rdf:Alt></dc:description>"
        "<xmp:CreatorTool>Draw Things</xmp:CreatorTool>"
        f"<exif:UserComment><rdf:Alt><rdf:li>{json.dumps(DRAW_THINGS)}</rdf:li></rdf:Alt></exif:UserComment>"
    )
    claim = only(data)
    assert "Draw Things generated it" in claim.statement
    assert "flux_1.ckpt" in claim.statement


def test_grok_needs_signature_and_number():
    signature = "Signature: " + "Ab3+/" * 20 + "=="
    number = "0b1a2c3d-1111-2222-3333-444455556666"
    assert "Grok generated it" in only(jpeg_exif({0x010E: signature, 0x013B: number})).statement
    assert claims(jpeg_exif({0x010E: signature, 0x013B: "Ansel Adams"})) == ()
    assert claims(jpeg_exif({0x010E: "A view of the harbour", 0x013B: number})) == ()


def test_reference_code_of_flux_names_maker_and_model():
    data = jpeg_exif(
        {0x0131: "AI generated;txt2img;flux", 0x010F: "Black Forest Labs", 0x0110: "flux-dev", 0x010E: "a bee"}
    )
    claim = only(data)
    assert claim.kind == "generated"
    assert all(word in claim.statement for word in ("Black Forest Labs", "flux-dev", "a bee"))


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({0x0131: "Midjourney"}, "Midjourney"),
        ({0x0131: "DALL·E 3".encode()}, "DALL·E"),
        ({0x010F: "Ideogram AI"}, "Ideogram"),
        ({0x0131: "NovelAI"}, "NovelAI"),
        ({0x0131: "Adobe Firefly 3"}, "Adobe Firefly"),
        ({0x0131: "Leonardo.Ai"}, "Leonardo.Ai"),
        ({0x0131: "Bing Image Creator"}, "Microsoft Image Creator"),
        ({0x0131: "Stable Diffusion XL"}, "Stable Diffusion"),
    ],
)
def test_program_or_maker_that_is_a_generator(tags, name):
    claim = only(jpeg_exif(tags))
    assert claim.kind == "generated"
    assert f"says that {name} made it" in claim.statement


INNOCENT = {
    "a prompt chunk of another program": {"prompt": "Enter your name"},
    "parameters of a measurement": {"parameters": "gain=2, exposure=0.1, Size: 100"},
    "parameters as JSON": {"parameters": json.dumps({"prompt": "x", "width": 3})},
    "a workflow that is no graph": {"workflow": json.dumps({"steps": ["scan", "crop"]})},
    "nodes without links": {"workflow": json.dumps({"nodes": [1, 2]})},
    "software of a plotting library": {"Software": "Matplotlib version3.9, https://matplotlib.org/"},
    "Steps in a caption": {"Description": "Steps: 3, then turn left at the Seed: shop"},
    "a caption about Midjourney": {"Description": "The mayor opens an exhibition of Midjourney pictures"},
    "a caption about AI": {"Comment": "Panel on AI generated images, with people of OpenAI and Stability AI"},
    "dashes in a caption": {"Description": "Sunset --v nice --and long"},
    "a comment with JSON": {"Comment": json.dumps({"uc": 1, "scale": 2})},
    "a source that is a newspaper": {"Source": "The Leonardo Times", "Author": "A. Fluxman"},
    "a dream": {"Dream": "of a better world -s"},
}


@each("texts", INNOCENT)
def test_innocent_text_claims_nothing(texts):
    assert claims(png_text(**texts)) == ()


def test_innocent_exif_claims_no_generation():
    tags = {0x010E: "Grok the universe, a Midjourney parody", 0x013B: "Dall E. Smith", 0x0131: "Adobe Photoshop 25.0"}
    assert kinds(jpeg_exif(tags, {0x9286: b"ASCII\0\0\0Screenshot"})) == {"software"}


def test_statements_are_one_short_line_without_control_characters():
    text = A1111.replace("a castle", "a \x1b[31m\u202ecastle\x07\u2028 " + "very " * 60)
    claim = only(png_text(parameters=text))
    assert claim.statement.isprintable()
    assert len(claim.statement) < 300
