"""Asks the detectors of a scan where they looked, draws it, and puts the pictures into a folder (`--heatmaps`)."""

import math
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL.PngImagePlugin import PngInfo

from forensic_cli import images
from forensic_cli.abilities import Localises
from forensic_cli.detector import Batch
from forensic_cli.engine.loading import Listed
from forensic_cli.engine.methods import Method
from forensic_cli.engine.overlays import Caption, overlay
from forensic_cli.errors import ImageError, PluginError, ReportError, UsageError, WeightsError, out_of_memory, reason
from forensic_cli.paths import Candidate
from forensic_cli.plugins import Offer
from forensic_cli.records import Finding, ImageRef, Skipped
from forensic_cli.text import printable
from forensic_cli.writing import atomic, check_writable

SCALE = 4.0  # log-odds that get the full colour: 98 in 100
_LONGEST_STEM = 120  # bytes of a file name's part that comes from the image's


def prepare(folder: Path, paths: Sequence[str], offers: Sequence[Offer]) -> list[str]:
    """Make the folder if it is missing; the names of the methods that show no heatmap.

    Raises UsageError or ReportError if that is all of them, or if nothing can be written there.
    """
    shown = printable(str(folder))
    without = [offer.name for offer in offers if not issubclass(offer.factory, Localises)]
    if len(without) == len(offers):
        show = "shows no heatmap" if len(without) == 1 else "show no heatmaps"
        raise UsageError(f"--heatmaps {shown}: {', '.join(without)} {show}: name a method that does with --methods")
    if os.path.realpath(folder) in map(os.path.realpath, paths):
        raise UsageError(f"--heatmaps {shown} is itself scanned: name another folder")
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"--heatmaps {shown} is a file: name a folder") from error
    except FileNotFoundError as error:
        parent = printable(str(folder.parent))
        raise UsageError(
            f"--heatmaps {shown}: there is no folder {parent}: make it first, or name another place"
        ) from error
    except OSError as error:
        raise UsageError(f"--heatmaps {shown} cannot be made ({error.strerror}): name another place") from error
    check_writable(folder / "heatmap.png")
    return without


class Heatmaps:
    """The pictures of one run. Without a folder there are none."""

    def __init__(
        self,
        folder: Path | None,
        methods: Iterable[Method],
        trace: Callable[[BaseException], None] = lambda error: None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.methods = frozenset(one.name for one in methods if folder and isinstance(one.detector, Localises))
        self._folder = folder or Path()
        self._trace = trace
        self._warn = warn
        self._blind: set[str] = set()
        self._drawn: dict[tuple[str, str], Path | str] = {}

    def besides(self, found: Iterable[Listed]) -> Iterator[Listed]:
        """All that is found but for the pictures of this folder that are met on the way: they would be drawn in turn."""
        own = os.path.abspath(self._folder) if self.methods else None
        for one in found:
            met = isinstance(one, Candidate) and not one.named
            if met and own and os.path.dirname(os.path.abspath(one.path)) == own:
                yield Skipped(one.path, "lies in the folder of --heatmaps")
            else:
                yield one

    def draw(self, method: Method, batch: Batch, findings: Sequence[Finding]) -> None:
        """Draw what the method saw in each image of the batch that it found something in.

        What goes wrong is kept for `added`, but for running out of memory with several images: that is raised.
        """
        if method.name not in self.methods:
            return
        maps = self._maps(method.detector, batch)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix="forensic-draw") as pool:
            drawn = list(pool.map(partial(self._picture, method, batch), range(len(batch)), findings, maps))
        for ref, one in zip(batch.refs, drawn, strict=True):
            if one:
                self._drawn[ref.sha256, method.name] = one

    def added(self, sha256: str | None, findings: dict[str, Finding]) -> dict[str, Finding]:
        """The findings in one image with their pictures, or with what went wrong with these; scores stay."""
        made = {name: self._drawn.get((sha256 or "", name)) for name in findings}
        return {name: _with(finding, made[name]) for name, finding in findings.items()}

    def forget(self) -> None:
        """The images of a batch have been told of."""
        self._drawn.clear()

    def _maps(self, detector: Any, batch: Batch) -> list[np.ndarray | str]:
        """A map for each image, or why there is none. A failure is retried image by image."""
        try:
            _scale(detector)
            maps = detector.heatmaps(batch)
            if len(maps) != len(batch):
                raise PluginError(f"{len(maps)} heatmaps for {len(batch)} images")
            return [_sound(one) for one in maps]
        except (Exception, SystemExit) as error:
            if len(batch) == 1 or isinstance(error, WeightsError):
                self._trace(error)
                return [reason(error)] * len(batch)
            if out_of_memory(error):
                raise
        refs, pixels, contents = batch.refs, batch.images, batch.contents
        singles = [Batch(batch.session, refs[n : n + 1], pixels[n : n + 1], contents[n : n + 1]) for n in range(len(batch))]
        return [self._maps(detector, single)[0] for single in singles]

    def _picture(
        self, method: Method, batch: Batch, index: int, finding: Finding, evidence: np.ndarray | str
    ) -> Path | str | None:
        """Draw one picture: its path, or what went wrong, or nothing if there is nothing to show."""
        ref = batch.refs[index]
        if finding.error:
            return None
        if isinstance(evidence, str):
            return evidence
        if np.isnan(evidence).all():
            if method.name not in self._blind:
                self._blind.add(method.name)
                self._warn(f"{method.name} shows no heatmap of an image that it looked at no part of, like {ref.path}")
            return None
        path = self._folder / _name(ref, method.name)
        scale = _scale(method.detector)
        caption = Caption(method.name, finding.score, scale or SCALE, "" if scale else "log-odds")
        try:
            picture = overlay(_pixels(batch, index), evidence, caption)
            with atomic(path) as stream:
                picture.save(stream, "PNG", pnginfo=_about(ref, caption), compress_level=1)  # four times as fast as 6
        except ReportError as error:
            return str(error).removeprefix(f"{printable(str(path))}: ")
        except (ImageError, MemoryError) as error:
            return reason(error)
        return path


def _with(finding: Finding, drawn: Path | str | None) -> Finding:
    if isinstance(drawn, str):
        return replace(finding, error=f"heatmap: {drawn}")
    return replace(finding, heatmap=printable(str(drawn))) if drawn else finding


def _scale(detector: Any) -> float | None:
    """What counts as strong evidence with a detector whose maps are not in log-odds. Raises PluginError."""
    scale = getattr(detector, "heatmap_scale", None)
    if scale is None or (isinstance(scale, int | float) and 0 < scale < math.inf):
        return scale
    raise PluginError(f"heatmap_scale is {scale!r}; expected a number above 0")


def _sound(evidence: Any) -> np.ndarray:
    """The map as finite float32, or NaN. Raises PluginError."""
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        array = np.asarray(evidence, np.float32)
    if array.ndim != 2 or not array.size:
        raise PluginError(f"a heatmap has the shape {array.shape}; expected (height, width)")
    if np.isinf(array).any():
        raise PluginError("a heatmap is infinite somewhere")
    return array


def _name(ref: ImageRef, method: str) -> str:
    """Readable, safe on every file system, and the same only for equal bytes."""
    stem = unicodedata.normalize("NFC", printable(Path(ref.path).stem))
    words = re.sub(r"[^\w.-]+", "_", stem).encode()[:_LONGEST_STEM].decode(errors="ignore").strip("._-")
    return f"{words or 'image'}_{method}_{ref.sha256[:8]}.png"


def _about(ref: ImageRef, caption: Caption) -> PngInfo:
    """What the picture says of itself to programs."""
    info = PngInfo()
    info.add_text("method", caption.method)
    info.add_text("score", "" if caption.score is None else repr(caption.score))
    info.add_text("sha256", ref.sha256)
    info.add_text("scale", f"{caption.scale:g} {caption.unit}".strip())
    return info


def _pixels(batch: Batch, index: int) -> np.ndarray:
    """The image itself; a detector that looks at the file has only bytes in its batch."""
    if batch.images:
        return batch.images[index]
    content = batch.contents[index]
    return images.decode(content, images.probe(content))
