"""Small scans to write reports of, with everything in them that a report can hold."""

from forensic_cli.records import Claim, FileRecord, Finding, MethodUse, Run, Summary, Verdict
from forensic_cli.report import Scan

DECLARED = Claim("generated", "Stable Diffusion settings", "PNG tEXt parameters", "declared")
CAPTURED = Claim("captured", "Canon EOS R5", "EXIF", "declared")
SHA = "0123456789abcdef" * 4


def run(*methods: str) -> Run:
    uses = tuple(
        MethodUse(name, "forensic-cli", "0.1.0", {"size": 224}, ({"source": "a/b", "revision": None},)) for name in methods
    )
    return Run(
        id="20260101-000000",
        started="2026-01-01T00:00:00Z",
        finished="2026-01-01T00:01:00Z",
        forensic="0.1.0",
        python="3.11.7",
        platform="Linux",
        command="forensic scan photos",
        seed=0,
        device="cpu",
        dtype="float32",
        engine="local",
        methods=uses,
        libraries={"torch": "2.9"},
    )


def ok(path: str, *findings: Finding, verdict: Verdict | None = None, **rest) -> FileRecord:
    return FileRecord(path, "ok", None, SHA, 1000, "JPEG", 640, 480, verdict, findings, **rest)


def scored(method: str, score: float | None, **rest) -> Finding:
    return Finding(method, score, verdict="uncalibrated", seconds=0.25, **rest)


def stating(*claims: Claim) -> Finding:
    return Finding("provenance", claims=claims, seconds=0.01)


def scan(records, *methods: str, summary: Summary | None = None) -> Scan:
    rows = list(records)
    return Scan(run(*methods), summary or Summary(found=len(rows), seconds=1.5), lambda: iter(rows))


def everything() -> Scan:
    """Two methods; a file that is said to be generated, a photograph, a broken file, one left out."""
    return scan(
        [
            ok(
                "a/pope.png",
                stating(DECLARED, Claim("unchecked", "a watermark", "pixels", "none")),
                scored("rigid", 0.75),
                verdict=Verdict("generated", "provenance"),
            ),
            ok("a/photo.jpg", stating(CAPTURED), Finding("rigid", error="out of memory")),
            ok(
                "b/drawn.webp",
                stating(),
                Finding("rigid", -0.5, 0.01, 2.5, "generated", (), "maps/drawn.png", 1.0),
                verdict=Verdict("inconclusive", "scores", 0.01, 0.02, 2.5),
            ),
            FileRecord("a/broken.jpg", "failed", "the file ends too early", SHA, 10),
            FileRecord("a/notes.txt", "skipped", "no image"),
        ],
        "provenance",
        "rigid",
        summary=Summary(5, 3, 1, 2, 0, 1, 1, 0, 1.5),
    )
