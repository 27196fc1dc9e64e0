"""What an image counts for, at the edges."""

import numpy as np

from forensic_cli.statistics.performance import probabilities, right


def test_probabilities_of_the_largest_odds():
    odds = np.array([-np.inf, -1e300, -800.0, 0.0, 800.0, np.inf])
    assert probabilities(odds).tolist() == [0, 0, 0, 0.5, 1, 1]
    assert np.isnan(probabilities(np.array([np.nan]))).all()


def test_the_threshold_itself_is_not_flagged():
    assert right(np.array([-1.0, 0.0, 1.0]), 0.0, True).tolist() == [0, 0, 1]
    assert right(np.array([-1.0, 0.0, 1.0]), 0.0, False).tolist() == [1, 1, 0]
