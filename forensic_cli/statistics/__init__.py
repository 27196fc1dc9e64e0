"""Numbers about scores: plain arrays in, plain numbers out."""
