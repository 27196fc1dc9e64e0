"""How published data sets, and plain folders and tables, lie on disk: one record each, data and no code."""

from collections.abc import Mapping

from forensic_cli.datasets.layouts import Layout

_SYNSETS = ("n[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]",)
_NUMBERED = ("[0-9]", "[0-9][0-9]", "[0-9][0-9][0-9]")
# the classes of pictures in ForenSynths' folders of ProGAN, CycleGAN, StyleGAN and StyleGAN2
_THINGS = (
    *("airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog", "horse"),
    *("motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor", "apple", "orange", "summer", "winter"),
    *("zebra", "bedroom", "church"),
)
_GENIMAGE = ("Midjourney", "stable_diffusion_v_1_4", "stable_diffusion_v_1_5", "ADM", "glide", "wukong", "VQDM", "BigGAN")
_ARCHIVES = {  # each unpacks to a folder of its own name
    "imagenet*midjourney": "Midjourney",
    "imagenet*sdv4": "stable_diffusion_v_1_4",
    "imagenet*sdv5": "stable_diffusion_v_1_5",
    "imagenet*adm": "ADM",
    "imagenet*glide": "glide",
    "imagenet*wukong": "wukong",
    "imagenet*vqdm": "VQDM",
    "imagenet*biggan": "BigGAN",
}
_SPELLINGS = {
    **_ARCHIVES,
    **dict.fromkeys(("sdv1.4", "sd1.4", "sd14", "sdv14", "stable_diffusion_1.4"), "stable_diffusion_v_1_4"),
    **dict.fromkeys(("sdv1.5", "sd1.5", "sd15", "sdv15", "stable_diffusion_1.5"), "stable_diffusion_v_1_5"),
}

LAYOUTS: Mapping[str, Layout] = {
    "folders": Layout(
        "folders named for their labels, with or without generators",
        "GENERATOR/real and GENERATOR/fake (or 0_real and 1_fake, nature and ai), or real and fake alone",
        aliases=_ARCHIVES,
        tables="csv parquet",
    ),
    "manifest": Layout(
        "a CSV with columns file and label, and if you like generator, source, kind, license, sha256, split",
        "a .csv file, or a folder with manifest.csv in it",
        tables="csv",
    ),
    "parquet": Layout(
        "Parquet files as Hugging Face stores images, with a column label",
        ".parquet files with the columns image (or image_data) and label",
        tables="parquet",
    ),
    "genimage": Layout(
        "GenImage: eight generators, each with photographs of ImageNet",
        "GENERATOR/ARCHIVE/{train,val}/{ai,nature}, such as Midjourney/imagenet_midjourney/val/ai",
        _GENIMAGE,
        _SPELLINGS,
    ),
    "unbiased-genimage": Layout(
        "Unbiased GenImage: its metadata CSV beside GenImage; of the photographs only those of JPEG quality 96",
        "the .csv with the columns path, generator, mode and compression_rate in the folder of GenImage",
        _GENIMAGE,
        _SPELLINGS,
        tables="csv",
        only=("compression_rate", 96),
    ),
    "drct-2m": Layout(
        "DRCT-2M: sixteen diffusion models; its photographs are MSCOCO, inside it or given by --real",
        "GENERATOR/{train2017,val2017}, such as sdxl-turbo/val2017, beside MSCOCO/val2017",
        (
            *("ldm-text2im-large-256", "stable-diffusion-v1-4", "stable-diffusion-v1-5", "stable-diffusion-2-1"),
            *("stable-diffusion-xl-base-1.0", "stable-diffusion-xl-refiner-1.0", "sd-turbo", "sdxl-turbo"),
            *("lcm-lora-sdv1-5", "lcm-lora-sdxl", "sd-controlnet-canny", "sd21-controlnet-canny"),
            *("controlnet-canny-sdxl-1.0", "stable-diffusion-inpainting", "stable-diffusion-2-inpainting"),
            "stable-diffusion-xl-1.0-inpainting-0.1",
        ),
        labels="none",
        photographs={"mscoco*": "MSCOCO", "coco*": "MSCOCO"},
        shared={"MSCOCO": ("*",)},
    ),
    "forensynths": Layout(
        "ForenSynths (CNNDetection): eleven GANs and other generators, some with a level of classes",
        "test/GENERATOR/[CLASS/]{0_real,1_fake}, such as test/progan/airplane/1_fake",
        (
            *("progan", "cyclegan", "stylegan", "stylegan2", "biggan", "stargan", "gaugan", "crn", "imle", "seeingdark"),
            *("san", "deepfake", "whichfaceisreal"),
        ),
        classes=_THINGS,
        unnamed="progan",  # which made all of its training images
    ),
    "aigcdetectionbenchmark": Layout(
        "AIGCDetectionBenchmark: sixteen generators, laid out like ForenSynths",
        "[test/]GENERATOR/[CLASS/]{0_real,1_fake}, such as test/DALLE2/1_fake",
        (
            *("ADM", "DALLE2", "Glide", "Midjourney", "VQDM", "biggan", "cyclegan", "gaugan", "progan", "sdxl"),
            *("stable_diffusion_v_1_4", "stable_diffusion_v_1_5", "stargan", "stylegan", "stylegan2"),
            *("whichfaceisreal", "wukong"),
        ),
        classes=_THINGS,
        unnamed="progan",
    ),
    "universalfakedetect": Layout(
        "UniversalFakeDetect: eight sets of diffusion models that share the photographs of imagenet and laion",
        "GENERATOR/1_fake beside imagenet/0_real and laion/0_real, such as ldm_200_cfg/1_fake",
        ("guided", "ldm_200", "ldm_200_cfg", "ldm_100", "glide_100_27", "glide_50_27", "glide_100_10", "dalle"),
        labels="some",
        photographs={"imagenet": "imagenet", "laion": "laion"},
        shared={"imagenet": ("guided",), "laion": ("ldm*", "glide*", "dalle*")},
    ),
    "diffusionforensics": Layout(
        "DiffusionForensics: LSUN Bedroom, ImageNet and CelebA-HQ, each with its own photographs",
        "images/{train,val,test}/{lsun_bedroom,imagenet,celebahq}/{real,GENERATOR}, such as images/test/imagenet/adm",
        (
            *("adm", "ddpm", "iddpm", "pndm", "ldm", "sdv1", "sdv2", "sdv1_new1", "sdv1_new2", "vqdiffusion", "if"),
            *("dalle2", "midjourney", "stylegan_official", "projectedgan", "diff-projectedgan", "diff-stylegan"),
        ),
        labels="some",
        sets={"lsun_bedroom": "lsun_bedroom", "imagenet": "imagenet", "celebahq*": "celebahq"},
        classes=(*_SYNSETS, *_NUMBERED),
        aside={"recons*": "reconstructions", "dire*": "differences to reconstructions"},
    ),
    "synthbuster": Layout(
        "Synthbuster: nine generators; its photographs are RAISE-1k, inside it or given by --real",
        "GENERATOR/*.png, such as stable-diffusion-xl, beside a folder of RAISE",
        (
            *("dalle2", "dalle3", "firefly", "glide", "midjourney-v5", "stable-diffusion-1-3", "stable-diffusion-1-4"),
            *("stable-diffusion-2", "stable-diffusion-xl"),
        ),
        labels="none",
        photographs={"*raise*": "RAISE"},
        shared={"RAISE": ("*",)},
    ),
    "dgm-eval": Layout(
        "dgm-eval: samples of many generators for ImageNet, LSUN Bedroom, FFHQ and CIFAR-10; photographs by --real",
        "[SET/]GENERATOR/[CLASS/]*.png, such as imagenet256/ADMG",
        (
            *("ADM", "ADMG", "ADMG-ADMU", "BigGAN", "DiT-XL-2", "GigaGAN", "LDM", "Mask-GIT", "RQ-Transformer"),
            *("StyleGAN-XL", "ADM-dropout", "Consistency", "DDPM", "iDDPM", "Diffusion-Projected-GAN", "Projected-GAN"),
            *("StyleGAN", "Unleashing-Transformers", "Efficient-vdVAE", "InsGen", "StyleGAN2-ada", "StyleNAT"),
            *("StyleSwin", "ACGAN-Mod", "BigGAN-Deep", "iDDPM-DDIM", "LOGAN", "LSGM-ODE", "MHGAN", "NVAE", "PFGM++"),
            *("ReACGAN", "RESFLOW", "WGAN-GP"),
        ),
        {"dit*": "DiT-XL-2"},
        labels="none",
        sets={"imagenet*": "imagenet256", "lsun*": "LSUN Bedroom", "ffhq*": "FFHQ256", "cifar10": "CIFAR10"},
        classes=(*_SYNSETS, *_NUMBERED),
    ),
    "community-forensics": Layout(
        "Community Forensics: folders or Parquet files, thousands of generators",
        "GENERATOR/{real,fake}, or .parquet files",
        tables="parquet",
    ),
    "cifake": Layout(
        "CIFAKE: small photographs of CIFAR-10 and images of Stable Diffusion 1.4; in Parquet 0 is FAKE and 1 is REAL",
        "{train,test}/{REAL,FAKE}, or .parquet files",
        unnamed="CIFAKE",
        tables="parquet",
        numbers=("FAKE", "REAL"),
    ),
    "chameleon": Layout("Chameleon: one large test set", "test/{0_real,1_fake}", unnamed="Chameleon"),
    "wildrf": Layout(
        "WildRF: images as Reddit, Twitter and Facebook deliver them, told apart by platform",
        "test/{reddit,twitter,facebook}/{0_real,1_fake}, and {train,val}/{0_real,1_fake}",
        ("reddit", "twitter", "facebook"),
        unnamed="WildRF",
    ),
    "grip": Layout(
        "the lists of GRIP-UNINA: a CSV with columns filename and typ (or src), which is real or names the generator",
        "a .csv file with the columns filename and typ, such as commercial_tools.csv",
        tables="csv",
    ),
}
