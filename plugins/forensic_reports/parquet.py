"""The rows as Parquet, for data frames and databases: nested like the JSON report, a few thousand rows at a time."""

import json
from collections.abc import Callable
from itertools import islice
from typing import Any, BinaryIO

from forensic_cli import Report, Scan, hookimpl
from forensic_cli.report import SCHEMA
from forensic_cli.text import encode

_ROWS = 2000  # what is held in memory, and the size of a row group


class ParquetReport(Report):
    """The rows, with the run and the summary as JSON in the file's own metadata."""

    def write(self, scan: Scan, stream: BinaryIO) -> None:
        import pyarrow as pa  # tens of megabytes: only for who asks for this format
        import pyarrow.parquet as pq

        about = {"schema": SCHEMA, "run": scan.run.to_json(), "summary": scan.summary.to_json()}
        schema = _schema().with_metadata({f"forensic.{name}": encode(value) for name, value in about.items()})
        rows = (json.loads(encode(record.to_json())) for record in scan.records())  # clean text, no NaN
        with pq.ParquetWriter(pa.PythonFile(stream, mode="w"), schema, compression="zstd") as writer:
            while group := list(islice(rows, _ROWS)):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _schema() -> Any:
    import pyarrow as pa

    def struct(**fields: Any) -> Any:
        return pa.struct([pa.field(name, kind) for name, kind in fields.items()])

    text, whole, number = pa.string(), pa.int64(), pa.float64()
    verdict = struct(label=text, basis=text, p_value=number, q_value=number, llr=number, reason=text)
    claims = pa.list_(struct(kind=text, statement=text, source=text, trust=text))
    numbers = {"score": number, "p_value": number, "llr": number}
    rest = {"verdict": text, "claims": claims, "heatmap": text, "seconds": number, "error": text}
    rest |= {"stability": struct(low=number, high=number, versions=whole), "standard_error": number, "unlike": number}
    findings = pa.list_(struct(method=text, **numbers, **rest))
    file = {"path": text, "sha256": text, "bytes": whole, "format": text, "width": whole, "height": whole}
    row = {**file, "status": text, "reason": text, "verdict": verdict, "findings": findings}
    return pa.schema([pa.field(name, kind) for name, kind in row.items()])


@hookimpl
def register_reports(register: Callable[[str, type[Report]], None]) -> None:
    register("parquet", ParquetReport)
