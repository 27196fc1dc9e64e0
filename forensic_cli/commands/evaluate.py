"""`forensic evaluate`: tables of methods on labelled images, with intervals, transforms and controls."""

from forensic_cli.commands.asked import Asked
from forensic_cli.commands.parameters import Debug, Machine, PluginFiles, spread


@spread
def evaluate(asked: Asked, machine: Machine, plugin: PluginFiles = None, debug: Debug = False) -> int:
    """Measure methods on labelled images: AUROC, AP, recall at fixed false-positive rates, per generator, with intervals.

    Images as they are are always measured, transforms besides. Beside every table stands what can be told without looking
    at a pixel. Scores are kept: one more method or transform computes only that.
    """
    if "list" in (asked.recipe, asked.layout, *(asked.transform or [])):
        from forensic_cli.commands import listing

        return listing.show(recipes=asked.recipe == "list", layouts=asked.layout == "list")
    from forensic_cli.commands import evaluation

    return evaluation.run(asked, machine, plugin)
