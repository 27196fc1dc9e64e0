"""Tables and figures of published papers as data: what to evaluate on what, and the figures that were published."""

from forensic_cli.recipes.offered import every, load
from forensic_cli.recipes.recipe import Data, Entry, Published, Recipe

__all__ = ["Data", "Entry", "Published", "Recipe", "every", "load"]
