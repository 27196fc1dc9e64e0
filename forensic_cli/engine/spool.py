"""Finished records on disk until the reports are written, so that ten million of them need no memory."""

import json
import tempfile
from collections.abc import Iterable, Iterator

from forensic_cli.errors import ReportError
from forensic_cli.records import FileRecord


class Spool:
    """An unnamed temporary file of records; it goes away with the process, however that ends."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", buffering=1 << 20)  # noqa: SIM115  closed with us

    def close(self) -> None:
        self._file.close()

    def fill(self, records: Iterable[FileRecord]) -> None:
        """Take every record. Raises ReportError if the temporary folder is full."""
        for record in records:
            self._add(record)

    def _add(self, record: FileRecord) -> None:
        try:
            self._file.write(json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise ReportError(
                f"the temporary folder {tempfile.gettempdir()} cannot hold the report ({error.strerror}): set TMPDIR to "
                "one with more room and scan again, finished scores are in the store"
            ) from error

    def records(self) -> Iterator[FileRecord]:
        """Every record so far, from the first."""
        self._file.flush()
        self._file.seek(0)
        for line in self._file:
            yield FileRecord.from_json(json.loads(line))
