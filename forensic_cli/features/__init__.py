"""Computations that two or more detectors share; each function is the key of its own result (`batch.once(f, ...)`)."""
