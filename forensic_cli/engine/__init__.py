"""What meets what, and in which order: takes objects, yields records, knows no terminal."""
