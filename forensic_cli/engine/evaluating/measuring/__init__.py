"""What an evaluation measures: who against whom, at which thresholds, with which intervals."""
