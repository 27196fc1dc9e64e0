"""Against the equation written out with transformers' own forward pass in float64."""

import numpy as np
import pytest
import torch
import transformers
from torchvision.transforms import v2

from forensic_cli import Batch, Session, options
from forensic_cli.features.noise import gaussian
from forensic_cli.records import ImageRef
from forensic_detectors.rigid import Rigid

NORMALISE = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def batch(photographs):
    refs = [ImageRef("x", f"{index:064x}", 1, "PNG", *image.size) for index, image in enumerate(photographs)]
    return Batch(Session(), refs, [np.asarray(image) for image in photographs])


@pytest.mark.parametrize("transform", ["paper", "shared"])
@pytest.mark.parametrize("draws", [1, 3])
def test_one_minus_cosine_between_clean_and_noisy(photographs, tiny_dinov2, transform, draws):
    settings = {
        "weights": str(tiny_dinov2),
        "position": "size",
        "transform": transform,
        "draws": str(draws),
        "ratio": "0.3",
    }
    detector = Rigid(Session(), options.build(Rigid.Options, settings, "rigid"))
    images = batch(photographs)
    resize = (
        v2.Resize((224, 224))
        if transform == "paper"
        else v2.Compose([v2.Resize(256, interpolation=v2.InterpolationMode.BICUBIC), v2.CenterCrop(224)])
    )
    model = transformers.AutoModel.from_pretrained(tiny_dinov2).eval().double()
    clean = torch.stack([NORMALISE(v2.functional.pil_to_tensor(resize(one)).float() / 255) for one in photographs]).double()
    with torch.inference_mode():
        expected = torch.zeros(2, dtype=torch.float64)
        for draw in range(draws):
            noisy = clean + 0.3 * gaussian(images, shape=(3, 224, 224), draw=draw).double()
            expected += 1 - torch.cosine_similarity(model(clean).pooler_output, model(noisy).pooler_output)
        scores = detector.score(images)
    assert scores.numpy() == pytest.approx((expected / draws).numpy(), rel=1e-3)


def test_options_that_make_no_sense():
    with pytest.raises(ValueError, match="at least 1"):
        Rigid.Options(draws=0)
