"""Shares in words that a tired person reads."""

from forensic_cli.text import in_words
from loops import each


@each(
    "share, words",
    [
        (0.62, "6 in 10"),
        (0.1, "1 in 10"),
        (0.05, "5 in 100"),
        (0.96, "96 in 100"),
        (0.01, "1 in 100"),
        (0.002, "2 in 1,000"),
        (0.0001, "1 in 1,000"),
        (0.0, "none"),
        (1.0, "all"),
        (0.94, "9 in 10"),
    ],
)
def test_shares(share, words):
    assert in_words(share) == words
