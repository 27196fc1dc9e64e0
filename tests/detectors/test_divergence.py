"""The divergence of tiny random models against their whole Jacobians, and from the command line."""

import json
import sys
from math import sqrt

import numpy as np
import pytest
import torch

from forensic_cli import Batch, Session, options
from forensic_cli.cli import run
from forensic_cli.contract import check
from forensic_cli.errors import WeightsError
from forensic_cli.features.diffusion import denoiser, diffusion, latents, moments, noise
from forensic_cli.records import ImageRef
from forensic_detectors.divergence import Divergence
from installing import install

pytest_plugins = ("diffusion_models",)

SIZE = 8  # pixels a side: a latent of 4 x 4 x 4, whose Jacobian can be written down
PLUGIN = """from forensic_detectors.divergence import Divergence, hookimpl


@hookimpl
def register_detectors(register):
    register("given", Divergence)
"""


def made(folder, session=None, **settings):
    words = {"weights": str(folder), "size": str(SIZE), **settings}
    return Divergence(session or Session(), options.build(Divergence.Options, words, "divergence"))


def batch(photographs, session):
    parts = [photographs[0].crop((0, 0, 40, 40)), photographs[1].crop((200, 100, 264, 148))]
    refs = [ImageRef("x", f"{index:064x}", 1, "PNG", *image.size) for index, image in enumerate(parts)]
    return Batch(session, refs, [np.asarray(image) for image in parts])


def jacobian(session, model, point, timestep=10, prompt=""):
    """Of the predicted noise at one latent, row by row in float32: (d, d)."""
    network = session.once(denoiser, model=model)
    network(point[None], timestep, prompt)  # its prompt is embedded
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        whole = torch.autograd.functional.jacobian(lambda z: network(z[None], timestep, prompt)[0], point, vectorize=True)
    return whole.reshape(point.numel(), point.numel()).double()


@pytest.mark.parametrize("name", ["sd", "ddpm"])
def test_within_the_standard_error_of_the_whole_jacobian(request, photographs, name):
    session = Session()
    images = batch(photographs, session)
    weights = request.getfixturevalue(name)
    ask = {"draws": "30", "size": str(SIZE if name == "sd" else 4)}
    found = {
        one: made(weights, session, estimator=one, **ask).estimates(images) for one in ("hutchinson", "jvp", "coordinates")
    }
    chosen = made(weights, session, **ask).options
    model = session.once(diffusion, weights=chosen.weights)
    factor = -1 / sqrt(1 - model.schedule.alpha_bar(10))
    for index, point in enumerate(images.once(latents, space=model.space, size=chosen.size, sample=False)):
        whole = factor * jacobian(session, model, point)
        size = len(whole)
        symmetric = (whole + whole.T) / 2
        off = symmetric - symmetric.diag().diag()
        theory = {
            "hutchinson": sqrt(2 * float(off.square().sum())) / size,
            "coordinates": float(whole.diag().std(correction=0)),
        }
        theory["jvp"] = theory["hutchinson"]
        exact = float(whole.trace()) / size
        for name, estimates in found.items():
            error = theory[name] / sqrt(30)
            assert abs(estimates[index].value - exact) < 4 * error, name
            assert estimates[index].error == pytest.approx(error, rel=0.5), name
        assert found["jvp"][index].value == pytest.approx(found["hutchinson"][index].value, abs=0.1 * theory["jvp"])


def test_options_choose_point_latent_field_prompt_and_sign(sd, photographs):
    """One draw along all settings, written out with the exact Jacobian."""
    session = Session()
    images = batch(photographs, session)
    settings = {
        "point": "noised",
        "latent": "unscaled",
        "field": "noise",
        "sign": "plus",
        "prompt": "a b",
        "timestep": "300",
    }
    detector = made(sd, session, estimator="jvp", draws="1", **settings)
    model = session.once(diffusion, weights=detector.options.weights)
    clean = [one.mean for one in images.once(moments, space=model.space, size=SIZE)]
    for ref, score, z, grain in zip(images.refs, detector.score(images), clean, noise(images, clean, 0), strict=True):
        whole = jacobian(session, model, model.schedule.noised(z, grain, 300), 300, "a b")
        generator = torch.Generator().manual_seed(session.seed_for(ref.sha256, "probe", 0))
        way = (torch.randint(2, z.shape, generator=generator) * 2 - 1).double().flatten()
        assert score == pytest.approx(float(way @ whole @ way) / len(way), rel=1e-4)
    usual = made(sd, session, estimator="jvp", draws="1")
    assert usual.score(images) == [-one.value for one in usual.estimates(images)]
    assert [one.standard_error for one in usual.examine(images)] == [one.error for one in usual.estimates(images)]


@pytest.mark.parametrize("estimator", ["hutchinson", "jvp"])
def test_it_keeps_its_promises(sd, estimator):
    step = {} if estimator == "jvp" else {"step": "0.1"}  # less of it is rounding in so small a latent
    check(Divergence, weights=sd, size="8", draws="2", estimator=estimator, **step)


def test_options_that_make_no_sense(sd):
    for settings in ({"draws": 0}, {"size": 0}, {"step": 0.0}, {"step": 0.1, "estimator": "jvp"}):
        with pytest.raises(ValueError, match="must be"):
            Divergence.Options(**settings)
    with pytest.raises(WeightsError, match="rounding of bfloat16: use --dtype float32"):
        made(sd, Session(dtype="bfloat16")).open_weights()
    made(sd, Session(dtype="bfloat16"), estimator="jvp").open_weights()


def test_from_the_command_line(sd, photographs, tmp_path, monkeypatch):
    """Images of several sizes at their native size, together and one by one."""
    site = tmp_path / "site"
    site.mkdir()
    install(site, "given", PLUGIN)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("FORENSIC_PLUGINS", "given")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, (width, height) in enumerate([(32, 32), (32, 32), (24, 40)]):
        photographs[index % 2].crop((100, 100, 100 + width, 100 + height)).save(folder / f"{index}.png")
    reports = []
    for size in ("1", "3"):
        report = tmp_path / f"{size}.json"
        settings = [f"given.{one}" for one in ("size=none", "draws=2", "estimator=coordinates")]
        more = [word for one in settings for word in ("--set", one)] + ["--batch-size", size, "--no-store"]
        assert run(["scan", str(folder), "-m", "given", "--weights", f"given={sd}", "-o", str(report), *more]) == 0
        files = json.loads(report.read_text())["files"]
        reports.append([file["findings"][0]["score"] for file in sorted(files, key=lambda file: file["path"])])
    sys.modules.pop("given", None)
    assert len(set(reports[0])) == 3
    assert reports[0] == pytest.approx(reports[1], rel=1e-3, abs=1e-5)
