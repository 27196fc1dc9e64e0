"""The recipes that come with the tool: they can be run as they are, and their numbers are those of the papers."""

import re
from collections import defaultdict

import pytest
from miniatures import miniature

from forensic_cli.datasets import read_dataset
from forensic_cli.errors import PluginError, UsageError
from forensic_cli.options import build
from forensic_cli.plugins import Plugins
from forensic_cli.recipes import every, load
from forensic_cli.transforms import parse
from forensic_layouts import LAYOUTS
from loops import each

RECIPES = list(every())
METRICS = {"auroc", "ap", "accuracy_0.5", "accuracy_calibrated", "brier"}
METRICS |= {f"tpr_at_fpr_{rate}" for rate in ("0.001", "0.01", "0.05", "0.1")}
LATER = {"pretext"}  # methods that are not part of the tool yet
# Averages that do not follow from their rows in the texts, as the files say: by how much the means of the rows are higher.
WRONG_SUMS = {
    ("pretext-table1", "LNP", "accuracy_calibrated"): 0.00031,
    ("pretext-table1", "LGrad", "accuracy_calibrated"): -0.00045,
    ("pretext-table1", "NPR", "accuracy_calibrated"): -0.00026,
    ("pretext-table1", "DRCT [DRCT-2M]", "accuracy_calibrated"): -0.00374,
    ("pretext-table2", "LGrad", "accuracy_calibrated"): 0.00066,
    ("pretext-table2", "NPR", "accuracy_calibrated"): -0.01406,
    ("pretext-table4", "pretext", "accuracy_calibrated"): -0.0004,
    ("pretext-table4", "pretext [BF-CNN]", "accuracy_calibrated"): -0.00071,
    ("wepe-table1", "aeroblade", "auroc"): -0.00108,
    ("wepe-table1", "aeroblade", "ap"): -0.00266,
    ("wepe-table3", "CNNspot", "accuracy_calibrated"): 0.00999,
}

of_every_recipe = each("recipe", {recipe.name: recipe for recipe in RECIPES})


def test_every_table_and_figure_that_was_asked_for_is_there():
    assert [recipe.name for recipe in RECIPES if not recipe.name.startswith("commfor-table2-")] == [
        *("commfor-figure3", "commfor-figure7"),
        "divergence-table1",
        *("pretext-figure1", "pretext-figure3", "pretext-figure4", "pretext-figure5"),
        *("pretext-table1", "pretext-table2", "pretext-table3", "pretext-table4"),
        *("wepe-figure3", "wepe-figure4", "wepe-figure5", "wepe-figure6"),
        *("wepe-table1", "wepe-table2", "wepe-table3", "wepe-table4", "wepe-table5"),
        *("wepe-table9", "wepe-table10", "wepe-table13"),
    ]
    sets = {recipe.name.removeprefix("commfor-table2-") for recipe in RECIPES if recipe.name.startswith("commfor-table2-")}
    assert sets == {"forensynths", "universalfakedetect", "synthbuster", "genimage", "comprehensive", "public"}


@of_every_recipe
def test_it_names_its_table_and_can_be_loaded_by_name(recipe):
    place = re.fullmatch(r"[a-z]+-(table|figure)(\d+)(-[a-z]+)?", recipe.name)
    assert f", {place[1]} {place[2]}" in recipe.title
    assert load(recipe.name) == recipe


@of_every_recipe
def test_its_words_fit(recipe):
    assert recipe.shows.endswith(".")
    assert ". " not in recipe.shows
    for text in (recipe.shows, recipe.needs, recipe.differs, recipe.data.where, *(entry.note for entry in recipe.entries)):
        assert "real image" not in text
        assert "\n" not in text
    for weights in re.findall(r"--weights (\w+)=", recipe.needs):
        assert weights in {entry.method for entry in recipe.entries}


@of_every_recipe
def test_its_transforms_are_spelt_as_results_spell_them(recipe):
    assert [parse(text).name for text in recipe.transforms] == list(recipe.transforms)


@of_every_recipe
def test_its_metrics_exist(recipe):
    assert set(recipe.metrics) <= METRICS


@of_every_recipe
def test_its_settings_are_options_of_its_methods(recipe):
    plugins = Plugins()
    for entry in recipe.entries:
        try:
            offer = plugins.detector(entry.method)
        except (PluginError, UsageError):
            assert entry.method in LATER
            continue
        assert entry.method not in LATER, "it is there now: take it out of LATER"
        build(offer.factory.Options, entry.settings, entry.method)


@of_every_recipe
def test_its_layout_finds_its_generators(recipe, tmp_path):
    """In a miniature of the data set, and by name: what is published is of generators that the layout knows."""
    typed = miniature(recipe, tmp_path / recipe.name, number=1)
    dataset = read_dataset(typed[:1], layout=recipe.data.layout, real=typed[2:])
    found = {item.generator for item in dataset.items if item.generated}
    assert not dataset.left_out
    if recipe.data.generators:
        assert found == set(recipe.data.generators)
    assert len(found) > 1 or recipe.name == "divergence-table1"
    known = LAYOUTS[recipe.data.layout].generators
    assert not known or set(recipe.data.generators) <= set(known)


@of_every_recipe
def test_published_averages_are_the_means_of_their_rows(recipe):
    """A cell that was copied wrongly moves the mean of its row."""
    rows, averages = defaultdict(dict), {}
    for one in recipe.published:
        key = (one.method, one.transform, one.metric)
        if one.generator == "(mean)":
            averages[key] = one.value
        else:
            rows[key][one.generator] = one.value
    for key in rows.keys() & averages.keys():
        values = rows[key].values()
        assert len(values) == len(recipe.data.generators)
        off = WRONG_SUMS.get((recipe.name, key[0], key[2]), 0.0)
        # some were cut off, not rounded
        assert sum(values) / len(values) - averages[key] == pytest.approx(off, abs=1.05e-4), key


@of_every_recipe
def test_published_numbers_are_shares(recipe):
    assert all(0 <= one.value <= 1 for one in recipe.published)


@of_every_recipe
def test_what_is_published_of_our_methods_stands_beside_an_entry(recipe):
    """A label with a typing error would be a row that is never compared."""
    labels = {entry.label for entry in recipe.entries}
    methods = {entry.method for entry in recipe.entries}
    others = {"pretext [fine-tuned on SD v1.4]", "pretext [photographs of COCO]", "pretext [no regression]"}
    others |= {"pretext [no classification]", "pretext [BF-CNN]", "pretext [ADM]", "wepe [CLIP ViT-L/14]"}
    for one in recipe.published:
        if one.method.partition(" ")[0] in methods:
            assert one.method in labels | others
    if recipe.published:
        assert any(one.method in labels for one in recipe.published)


# Copied by hand from the papers, not from the files: recipe, method, generator, transform, metric, value.
BY_HAND = [
    # Sinks of Gradient Flows, table 1: rows No Aug. and Rotate, columns Divergence, Reconstruction, ResNet
    ("divergence-table1", "divergence", "stable-diffusion-v1-4", "none", "auroc", 0.4535),
    ("divergence-table1", "recon", "stable-diffusion-v1-4", "crop:256", "tpr_at_fpr_0.1", 0.064),
    ("divergence-table1", "corvi", "stable-diffusion-v1-4", "rotate:30", "auroc", 0.9952),
    ("divergence-table1", "corvi", "stable-diffusion-v1-4", "rotate:30", "tpr_at_fpr_0.1", 0.984),
    # Beyond Generation, table 1: row Ours-basic, columns Midjourney and Avg.; row UnivFD, column ADM
    ("pretext-table1", "pretext", "Midjourney", "none", "accuracy_calibrated", 0.9551),
    ("pretext-table1", "pretext", "(mean)", "none", "accuracy_calibrated", 0.9597),
    ("pretext-table1", "UnivFD", "ADM", "none", "accuracy_calibrated", 0.5807),
    # table 2: row Ours-basic, columns LDM and SDXL-Ctrl; row DRCT, column SDXL-DR
    ("pretext-table2", "pretext", "ldm-text2im-large-256", "none", "accuracy_calibrated", 0.9737),
    ("pretext-table2", "pretext", "controlnet-canny-sdxl-1.0", "none", "accuracy_calibrated", 0.5243),
    ("pretext-table2", "DRCT", "stable-diffusion-xl-1.0-inpainting-0.1", "none", "accuracy_calibrated", 0.5743),
    # table 3: row StyleGAN2, columns DRCT and Ours
    ("pretext-table3", "DRCT", "StyleGAN2", "none", "tpr_at_fpr_0.05", 0.8353),
    ("pretext-table3", "pretext", "StyleGAN2", "none", "tpr_at_fpr_0.05", 0.7552),
    # table 4: row Glide, columns w/o Reg and ADM
    ("pretext-table4", "pretext [no regression]", "glide", "none", "accuracy_calibrated", 0.9483),
    ("pretext-table4", "pretext [ADM]", "glide", "none", "accuracy_calibrated", 0.6524),
    # WePe, table 1: row WePe, columns LDM; row RIGID, column MaskGIT; row AEROBLADE, column DiT; row NPR, average
    ("wepe-table1", "wepe", "LDM", "none", "auroc", 0.7847),
    ("wepe-table1", "wepe", "LDM", "none", "ap", 0.7350),
    ("wepe-table1", "rigid", "Mask-GIT", "none", "auroc", 0.8930),
    ("wepe-table1", "aeroblade", "DiT-XL-2", "none", "ap", 0.8771),
    ("wepe-table1", "npr", "(mean)", "none", "auroc", 0.8600),
    # table 2: row WePe, columns Unleashing Transformer; row Ojha, column StyleGAN
    ("wepe-table2", "wepe", "Unleashing-Transformers", "none", "ap", 0.9345),
    ("wepe-table2", "univfd", "StyleGAN", "none", "auroc", 0.8122),
    # table 3: row RIGID, column BigGAN; row LaRE, average
    ("wepe-table3", "rigid", "BigGAN", "none", "accuracy_calibrated", 0.9302),
    ("wepe-table3", "LaRE", "(mean)", "none", "accuracy_calibrated", 0.7791),
    # tables 4 and 5: rows ViT-B/14 and uniform noise
    ("wepe-table4", "wepe [DINOv2 ViT-B/14]", "(mean)", "none", "auroc", 0.8182),
    ("wepe-table5", "wepe [noise=uniform]", "(mean)", "none", "ap", 0.8632),
    # table 9: noise of 0.15 on generated images, and on both
    ("wepe-table9", "wepe", "(mean)", "noise:0.15@generated", "auroc", 0.9023),
    ("wepe-table9", "wepe", "(mean)", "noise:0.15", "ap", 0.7532),
    # table 10: five draws under noise of 0.15 on photographs
    ("wepe-table10", "wepe [draws=5]", "(mean)", "noise:0.15@photographs", "auroc", 0.7516),
    # table 13: RIGID and WePe with noisy generated images
    ("wepe-table13", "rigid", "(mean)", "noise:0.1@generated", "auroc", 0.1869),
    ("wepe-table13", "wepe", "(mean)", "noise:0.1@generated", "ap", 0.8714),
    # Community Forensics, table 2: row Ours-Highres., columns SB (mAP) and Public (Acc); row Ojha, column Wang (Acc)
    ("commfor-table2-synthbuster", "commfor", "(mean)", "none", "ap", 0.974),
    ("commfor-table2-public", "commfor", "(mean)", "none", "accuracy_0.5", 0.912),
    ("commfor-table2-forensynths", "univfd", "(mean)", "none", "accuracy_0.5", 0.791),
    ("commfor-table2-comprehensive", "commfor.224", "(mean)", "none", "ap", 0.979),
]


@each("name, method, generator, transform, metric, value", BY_HAND)
def test_numbers_are_those_of_the_papers(name, method, generator, transform, metric, value):
    place = (method, generator, transform, metric)
    (found,) = (
        one.value for one in load(name).published if (one.method, one.generator, one.transform, one.metric) == place
    )
    assert found == value


def test_what_goes_into_the_results():
    recipe = load("wepe-table13")
    plain = recipe.to_json()
    assert {key: plain[key] for key in ("name", "title", "paper")} == {
        "name": "wepe-table13",
        "title": recipe.title,
        "paper": "arXiv:2412.05897",
    }
    assert plain["published"][0] == {
        "method": "rigid",
        "generator": "(mean)",
        "transform": "none",
        "metric": "auroc",
        "value": 0.8358,
    }
    assert len(plain["published"]) == 8
