"""One thin file per command: options, words for people, exit status. The engine is imported inside the functions."""
