"""Labelled images, in the layouts that people have on disk: folders by name, a manifest in CSV, Hugging Face's Parquet."""

from forensic_cli.datasets.duplicates import Duplicates, duplicates
from forensic_cli.datasets.labelled import Dataset, Labelled
from forensic_cli.datasets.layouts import Layout, layouts
from forensic_cli.datasets.reading import content, read_dataset

__all__ = ["Dataset", "Duplicates", "Labelled", "Layout", "content", "duplicates", "layouts", "read_dataset"]
