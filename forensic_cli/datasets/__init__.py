"""Labelled images, in the layouts that people have on disk: folders by name, a manifest in CSV, Hugging Face's Parquet."""

from forensic_cli.datasets.labelled import Dataset, Labelled
from forensic_cli.datasets.reading import content, read_dataset

__all__ = ["Dataset", "Labelled", "content", "read_dataset"]
