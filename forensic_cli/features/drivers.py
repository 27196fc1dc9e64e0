"""Whether this machine has a driver for a GPU; nothing heavy is imported to find out."""

import ctypes
import sys


def nvidia_driver() -> bool:
    """Whether the library of the NVIDIA driver can be loaded."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def gpu_driver() -> bool:
    """Whether there may be a GPU that torch can use: an NVIDIA driver, or Apple's own."""
    return sys.platform == "darwin" or nvidia_driver()
