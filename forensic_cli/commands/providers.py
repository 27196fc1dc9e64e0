"""Which execution providers of onnxruntime really run; its own list names CUDA also where there is none."""

import json
import re
import subprocess
import sys

# An ONNX model, written out by hand: opset 17, one Identity node from the float scalar x to the float scalar y. A session
# with it that keeps the provider asked for is the proof: otherwise onnxruntime takes the CPU without an error.
MODEL = bytes.fromhex(
    "08083a2f0a100a017812017922084964656e746974791201675a0b0a017812060a0408011200620b0a017912060a040801120042021011"
)
_SECONDS = 120
_TRIAL = """
import json, sys, onnxruntime
if hasattr(onnxruntime, "preload_dlls"):
    onnxruntime.preload_dlls()
for name in sys.argv[2:]:
    try:
        session = onnxruntime.InferenceSession(bytes.fromhex(sys.argv[1]), providers=[name])
        print(json.dumps([name, session.get_providers()[0] == name]), flush=True)
    except Exception:
        print(json.dumps([name, False]), flush=True)
"""


def trial(providers: list[str]) -> tuple[list[str], str]:
    """Those with which a session runs, and what onnxruntime said of CUDA or how it died: it has a process of its own."""
    command = [sys.executable, "-c", _TRIAL, MODEL.hex(), *providers]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return [], f"the trial did not end within {_SECONDS} seconds"
    lines = [line for line in done.stdout.splitlines() if line.startswith('["')]
    usable = [name for name, runs in map(json.loads, lines) if runs]
    spoken = re.sub(r"\x1b\[[\d;]*m", "", done.stderr).splitlines()
    said = [line for line in spoken if "providers_cuda" in line or "CUDAExecutionProvider" in line]
    words = said[0].rpartition("with error: ")[2].strip() if said else ""
    return usable, words or (f"the trial ended with status {done.returncode}" if done.returncode else "")
