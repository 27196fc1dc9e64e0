"""Numbers of bytes as people say them."""


def human(size: int | None) -> str:
    """Three figures at most, in units of a thousand; None is unknown."""
    if size is None:
        return "size unknown"
    for unit, step in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= step:
            return f"{size / step:.3g} {unit}" if size < 999.5 * step else f"{size / step:.0f} {unit}"
    return f"{size} bytes"
