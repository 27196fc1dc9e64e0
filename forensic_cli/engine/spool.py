"""Finished records on disk until the reports are written, so that ten million of them need no memory."""

import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from forensic_cli.errors import ReportError
from forensic_cli.records import FileRecord
from forensic_cli.shapes import shaped
from forensic_cli.text import encode


class Spool:
    """An unnamed temporary file of records; it goes away with the process, however that ends.

    Every method but `close` raises ReportError if the temporary folder is full.
    """

    def __init__(self) -> None:
        with _told():
            self._file = tempfile.TemporaryFile(buffering=1 << 20)  # noqa: SIM115  closed with us

    def close(self) -> None:
        with suppress(OSError):  # what cannot be flushed is not needed any more
            self._file.close()

    def fill(self, records: Iterable[FileRecord]) -> None:
        """Take every record."""
        for record in records:
            line = encode(record.to_json()) + b"\n"
            with _told():
                self._file.write(line)

    def records(self) -> Iterator[FileRecord]:
        """Every record so far, from the first."""
        with _told():
            self._file.flush()
            self._file.seek(0)
        for line in self._file:
            yield shaped(FileRecord, json.loads(line))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReportError(
            f"the temporary folder {tempfile.gettempdir()} cannot hold the report ({error.strerror}): set TMPDIR to one "
            "with more room and scan again"
        ) from error
