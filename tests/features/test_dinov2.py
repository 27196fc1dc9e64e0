"""Against transformers' own forward pass, and against a plain bicubic interpolation in float64."""

import shutil

import numpy as np
import pytest
import torch
import transformers

from conftest import save_dinov2
from forensic_cli.detector import Session
from forensic_cli.errors import WeightsError
from forensic_cli.features.encoders.dinov2 import FAMILY, distance, embed, position_embedding, tokens
from forensic_cli.features.encoders.transformers import network
from forensic_cli.records import Weights


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "registers"])
def folder(request, tmp_path_factory):
    return save_dinov2(tmp_path_factory.mktemp("dinov2") / "model", registers=request.param)


@pytest.fixture
def model(folder):
    return network(Session(), weights=Weights(str(folder)), family=FAMILY)


def cubic(x, a=-0.75):
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def plain_bicubic(grid, count, factor):
    """Rows of `grid` resampled to `count` rows with torch's scale-factor coordinates: float64, no antialiasing."""
    side = len(grid)
    matrix = np.zeros((count, side))
    for row in range(count):
        centre = (row + 0.5) / factor - 0.5
        first = int(np.floor(centre))
        for tap in range(first - 1, first + 3):
            matrix[row, min(max(tap, 0), side - 1)] += cubic(centre - tap)
    return np.einsum("rs,sct->rct", matrix, grid)


def test_hub_positions_are_resampled_by_the_hubs_factor(tiny_dinov2):
    model = network(Session(), weights=Weights(str(tiny_dinov2)), family=FAMILY)
    stored = model.embeddings.position_embeddings.double().numpy()[0]
    grid = stored[1:].reshape(37, 37, -1)
    rows = plain_bicubic(grid, 16, 16.1 / 37)
    both = plain_bicubic(rows.transpose(1, 0, 2), 16, 16.1 / 37).transpose(1, 0, 2)
    ours = position_embedding(model, 16, 16, "hub").double().numpy()[0]
    assert np.abs(ours[0] - stored[0]).max() == 0
    assert np.abs(ours[1:] - both.reshape(256, -1)).max() < 1e-5
    by_size = position_embedding(model, 16, 16, "size").double().numpy()[0]
    assert np.abs(ours - by_size).max() > 1e-3


def test_the_native_grid_is_not_resampled(model):
    assert torch.equal(position_embedding(model, 37, 37, "hub"), model.embeddings.position_embeddings)


def test_embedding_is_transformers_own(folder, model):
    """transformers resamples by size, with antialiasing only for registers, where that is the hub's recipe too."""
    theirs = transformers.AutoModel.from_pretrained(folder).eval()
    images = torch.randn(2, 3, 224, 224)
    recipe = "hub" if theirs.config.model_type == "dinov2_with_registers" else "size"
    with torch.inference_mode():
        expected = torch.nn.functional.normalize(theirs(images).pooler_output, dim=-1)
        ours = embed(model, tokens(model, images, recipe))
    assert (ours - expected).abs().max() < 1e-5


def test_distance_of_close_vectors_keeps_its_digits():
    one = torch.nn.functional.normalize(torch.randn(1, 64, dtype=torch.float64), dim=-1)
    tiny = 1e-6
    other = torch.nn.functional.normalize(one + tiny * torch.nn.functional.normalize(torch.randn(1, 64), dim=-1), dim=-1)
    expected = 2 * (1 - float((one * other).sum()))
    assert float(distance(one, other)) == pytest.approx(expected, abs=1e-15)
    assert float(distance(one, one)) == 0


def test_folders_that_are_no_dinov2(tmp_path, tiny_dinov2):
    def broken(change):
        folder = tmp_path / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tiny_dinov2, folder)
        change(folder)
        with pytest.raises(WeightsError) as caught:
            network(Session(), weights=Weights(str(folder)), family=FAMILY)
        return str(caught.value)

    assert "config.json" in broken(lambda folder: (folder / "config.json").unlink())
    assert "bert" in broken(lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'))
    assert "cannot be read" in broken(lambda folder: (folder / "config.json").write_text("{"))
    assert "cannot be read" in broken(lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 100))
    text = (tiny_dinov2 / "config.json").read_text()
    assert "does not fit" in broken(
        lambda folder: (folder / "config.json").write_text(text.replace('"num_hidden_layers": 4', '"num_hidden_layers": 5'))
    )
    assert "fit" in broken(
        lambda folder: (folder / "config.json").write_text(text.replace('"hidden_size": 32', '"hidden_size": 64'))
    )
