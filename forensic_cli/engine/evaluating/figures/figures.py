"""All figures of an evaluation, as SVG and PNG."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from forensic_cli.engine.evaluating.figures import canvas
from forensic_cli.engine.evaluating.figures.calibration import draw_reliability, draw_tippett
from forensic_cli.engine.evaluating.figures.ranking import draw_generators, draw_roc, draw_roc_log, draw_scores
from forensic_cli.engine.evaluating.figures.robustness import draw_robustness
from forensic_cli.engine.evaluating.figures.samples import MethodScores, samples
from forensic_cli.engine.evaluating.measuring.results import Evaluation

Draw = Callable[[Evaluation, Sequence[MethodScores]], Figure | None]

FIGURES: Mapping[str, tuple[Draw, str]] = {
    "roc": (
        draw_roc,
        "Each point of a line is a threshold: how much of the generated is found (up) for how many false alarms (right). "
        "All images together; in brackets the area under the line.",
    ),
    "roc_log": (draw_roc_log, "The same lines where few false alarms can be afforded: left is rarer, ten times a step."),
    "scores": (
        draw_scores,
        "How the scores of each method are spread. Every class fills the same area, however many images it has; "
        "the outermost bars hold all that lies beyond.",
    ),
    "generators": (
        draw_generators,
        "Each generator against photographs. Where lines overlap, the order of methods is open.",
    ),
    "robustness": (draw_robustness, "The same images after what happens to pictures on their way through the world."),
    "reliability": (
        draw_reliability,
        "Of the images that a method calls 70 % generated, 70 % should be. The share of generated images in this data set "
        "moves the line: it need not be the share among your images.",
    ),
    "tippett": (
        draw_tippett,
        "How strong the evidence of the scores is: 2 means that such a score is a hundred times more frequent among "
        "generated images. Evidence that points the wrong way is the dashed line right of 0 and the solid line left of it. "
        "The ratios of each image were learnt (by logistic regression) on other sources than its own. Cllr: 0 is perfect, "
        "1 is saying nothing.",
    ),
}


@dataclass(frozen=True)
class Drawing:
    """`caption`: what a person sees in it."""

    name: str
    caption: str
    svg: bytes
    png: bytes


def drawings(evaluation: Evaluation) -> Iterator[Drawing]:
    """Those of `FIGURES` for which there is anything to draw, one after the other."""
    with canvas.styled():
        found = samples(evaluation)
        for name, (draw, caption) in FIGURES.items():
            figure = draw(evaluation, found)
            if figure is not None:
                yield Drawing(name, caption, *canvas.saved(figure))
