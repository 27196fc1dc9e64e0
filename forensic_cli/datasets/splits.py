"""Training, validation and test images of one data set, told apart by the names of folders, files and columns."""

from collections import Counter
from collections.abc import Mapping, Sequence

from forensic_cli.datasets.labelled import Found
from forensic_cli.errors import UsageError

SPLITS: Mapping[str, str] = {
    **dict.fromkeys(("train", "training", "train2017", "train2014"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "val2017", "val2014"), "val"),
    **dict.fromkeys(("test", "testing", "test2017"), "test"),
}
UNSEEN = "unseen"
"""What was not made for training: test, failing that val, failing that all."""


def split_of(word: str) -> str:
    """What a word says of the split; "" if it says nothing."""
    return SPLITS.get(word.strip().lower(), "")


def chosen(found: Sequence[Found], wanted: str | None, where: str) -> tuple[list[Found], str]:
    """The images of the split that is wanted, with those that belong to none; and a line on what was left aside, or "".

    `wanted`: train, val, test, "unseen" or None for all. Raises UsageError if there are splits but not this one.
    """
    numbers = Counter(one.split for one in found)
    there = [split for split in ("train", "val", "test") if numbers[split]]
    if wanted not in (None, UNSEEN, "train", "val", "test"):
        raise UsageError(f"there is no split {wanted!r}; write train, val, test or {UNSEEN}")
    split = there[-1] if wanted == UNSEEN and there else wanted
    if split in (None, UNSEEN) or not there:
        return list(found), ""
    if split not in there:
        raise UsageError(f"{where}: it has no images for {split!r}; there is {', '.join(there)}")
    kept = [one for one in found if one.split in ("", split)]
    if len(kept) == len(found):
        return kept, ""
    aside = ", ".join(f"{numbers[other]:,} of {other}" for other in there if other != split)
    lost = sorted({one.item.generator for one in found} - {one.item.generator for one in kept})
    more = f", among them all of {', '.join(lost)}" if lost else ""
    return kept, f"{where}: {numbers[split]:,} images of {split} are used; left aside are {aside}{more}"
