"""The data set of a recipe in its own layout, a few small pictures instead of thousands."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (288, 264)  # no smaller than the largest crop that a recipe takes
ARCHIVES = {  # the folders that GenImage's archives unpack to
    "Midjourney": "imagenet_midjourney",
    "stable_diffusion_v_1_4": "imagenet_ai_0419_sdv4",
    "stable_diffusion_v_1_5": "imagenet_ai_0424_sdv5",
    "ADM": "imagenet_ai_0508_adm",
    "glide": "imagenet_glide",
    "wukong": "imagenet_ai_0424_wukong",
    "VQDM": "imagenet_ai_0419_vqdm",
    "BigGAN": "imagenet_ai_0419_biggan",
}
UNNAMED = ("GALIP", "StableCascade")  # for recipes that take whatever generators there are


def miniature(recipe, folder, number=2):
    """Fill `folder` with `number` pictures of each kind; what is typed after `forensic evaluate --recipe NAME`."""
    folder = Path(folder)
    names = recipe.data.generators or UNNAMED
    pictures = _Pictures(number)
    match recipe.data.layout:
        case "folders":
            for name in names:
                pictures.fill(folder / name / "real", folder / name / "fake")
        case "genimage":
            for name in names:
                pictures.fill(*(folder / name / ARCHIVES[name] / "val" / side for side in ("nature", "ai")))
        case "drct-2m":
            pictures.fill(*(folder / name / "val2017" for name in ("MSCOCO", *names)))
        case "forensynths":
            for name in names:
                inner = folder / "test" / name / ("car" if name in ("progan", "stylegan", "stylegan2") else "")
                pictures.fill(inner / "0_real", inner / "1_fake")
        case "universalfakedetect":
            pictures.fill(folder / "imagenet" / "0_real", folder / "laion" / "0_real")
            pictures.fill(*(folder / name / "1_fake" for name in names))
        case "synthbuster":
            pictures.fill(folder / "RAISE-1k", *(folder / name for name in names))
        case "dgm-eval":
            group = "LSUN-Bedroom" if "LSUN" in recipe.data.name else "imagenet256"
            pictures.fill(folder / "photographs", *(folder / group / name for name in names))
            return [str(folder / group), "--real", str(folder / "photographs")]
        case "community-forensics":
            pictures.table(folder / "data" / "eval.parquet", names)
        case other:
            raise AssertionError(f"{recipe.name}: no miniature of the layout {other}")
    return [str(folder)]


class _Pictures:
    """No two alike: the same bytes twice would count once."""

    def __init__(self, number):
        self._number = number
        self._random = np.random.default_rng(0)

    def one(self):
        """The bytes of a JPEG file: a soft pattern."""
        small = self._random.integers(0, 256, (12, 11, 3), dtype=np.uint8)
        stream = io.BytesIO()
        Image.fromarray(small).resize(SIZE, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=90)
        return stream.getvalue()

    def fill(self, *folders):
        for folder in folders:
            folder.mkdir(parents=True)
            for number in range(self._number):
                (folder / f"{number}.jpg").write_bytes(self.one())

    def table(self, file, names):
        """As on the hub: the columns of Community Forensics that say what an image is."""
        import pyarrow
        from pyarrow import parquet

        rows = [
            {"image_data": self.one(), "label": label, "model_name": name if label else "", "real_source": "coco"}
            for name in names
            for label in (0, 1)
            for _ in range(self._number)
        ]
        file.parent.mkdir(parents=True)
        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
