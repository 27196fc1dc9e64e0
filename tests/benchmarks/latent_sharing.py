"""`-m recon,aeroblade,hfi` against the sum of the three alone: one encoding and one decoding less, the very same scores.

The autoencoder and VGG-16 have their true shapes and random weights; the U-Net is small, for its passes are recon's
alone and would hide what is shared.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import torch
from common import save_photographs, tell
from safetensors.torch import save_file
from scanning import Scanner

sys.path.insert(0, str(Path(__file__).parent.parent))

from diffusion_parts import autoencoder, save_diffusion

IMAGES, ROUNDS, SIZE = 2, 3, "256"
WIDTHS = (64, 128, 256, 512, 512)
NUMBERS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
METHODS = ("recon", "aeroblade", "hfi")


def save_lpips(folder: Path) -> dict[str, str]:
    """VGG-16's convolutions in torchvision's names, and the heads."""
    tensors, width = {}, 3
    for numbers, out in zip(NUMBERS, WIDTHS, strict=True):
        for number in numbers:
            tensors[f"features.{number}.weight"] = torch.randn(out, width, 3, 3) * (2 / (9 * width)) ** 0.5
            tensors[f"features.{number}.bias"] = torch.zeros(out)
            width = out
    save_file(tensors, folder / "vgg.safetensors")
    heads = {f"lin{number}.model.1.weight": torch.rand(1, width, 1, 1) for number, width in enumerate(WIDTHS)}
    save_file(heads, folder / "heads.safetensors")
    return {"vgg": str(folder / "vgg.safetensors"), "heads": str(folder / "heads.safetensors"), "size": SIZE}


with tempfile.TemporaryDirectory() as folder:
    torch.manual_seed(0)
    vae = autoencoder(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        norm_num_groups=32,
        sample_size=512,
    )
    network = save_diffusion(Path(folder, "sd"), vae=vae)
    lpips = save_lpips(Path(folder))
    more = {"recon": {"size": SIZE}, "aeroblade": lpips, "hfi": lpips}
    photographs = save_photographs(Path(folder, "photos"), IMAGES)
    scanners = {names: Scanner(names.split(","), network, **more) for names in (*METHODS, ",".join(METHODS))}
    for scanner in scanners.values():
        scanner.run(photographs[:1], IMAGES)
    ratios, identical = [], True
    for number in range(ROUNDS):
        runs = {names: scanner.run(photographs, IMAGES) for names, scanner in scanners.items()}
        together = runs[",".join(METHODS)]
        ratios.append(together[0] / sum(runs[name][0] for name in METHODS))
        alone = {path: {name: runs[name][1][path][name] for name in METHODS} for path in together[1]}
        identical &= alone == together[1]
        print(f"round {number + 1}: {ratios[-1]:.3f}", file=sys.stderr)
    tell(
        "-m recon,aeroblade,hfi / the sum alone, one autoencoder of SD's shape, CPU",
        ratio=round(statistics.median(ratios), 3),
        identical_scores=identical,
    )
