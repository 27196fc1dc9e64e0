"""The latent-diffusion detectors keep the promises of every detector, on tiny random models."""

import pytest

from forensic_cli.contract import check
from forensic_detectors.aeroblade import Aeroblade
from forensic_detectors.hfi import Hfi
from forensic_detectors.lare import Lare
from forensic_detectors.recon import Recon, ReconLpips

pytest_plugins = ("diffusion_models", "lpips_models")


@pytest.fixture
def heads(vgg_file, heads_file):
    return {"vgg": str(vgg_file), "heads": str(heads_file)}


@pytest.mark.parametrize("factory", [Recon, Lare], ids=lambda one: one.__name__)
def test_with_a_diffusion_model(factory, sd):
    check(factory, weights=str(sd), size="32", draws="2")


def test_with_a_diffusion_model_and_lpips(sd, heads):
    check(ReconLpips, weights=str(sd), size="32", draws="2", **heads)


@pytest.mark.parametrize("factory", [Aeroblade, Hfi], ids=lambda one: one.__name__)
def test_with_an_autoencoder(factory, taesd, heads):
    check(factory, weights=str(taesd), size="48", **heads)
