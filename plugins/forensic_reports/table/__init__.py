"""What a person reads in a terminal: a sentence, the files that matter most, and what the words do not mean."""

import heapq
import io
from collections.abc import Callable
from typing import BinaryIO

from rich.console import Console
from rich.text import Text

from forensic_cli import Report, Scan, hookimpl
from forensic_reports.table.facts import is_shown
from forensic_reports.table.overview import Overview
from forensic_reports.table.rows import print_indented, print_rows, ranks

_ROWS = 50
_PLAIN_WIDTH = 100  # where there is no terminal to ask


class TableReport(Report):
    """A sentence, the most suspicious files with their evidence, what failed, and how to read it."""

    def write(self, scan: Scan, stream: BinaryIO) -> None:
        terminal = stream.isatty()
        text = io.StringIO()  # a few dozen lines; rich would end the process if it met a closed pipe itself
        console = Console(
            file=text,
            force_terminal=terminal,
            width=None if terminal else _PLAIN_WIDTH,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )
        overview = Overview(scan)
        print_indented(console, Text(overview.headline(), "bold"), 0)
        if warning := overview.warning():
            print_indented(console, Text(warning), 0)
        records = heapq.nlargest(_ROWS, filter(is_shown, scan.records()), key=overview.order)
        if records:
            print_rows(console, records, overview.columns, ranks(overview.ranked, records, scan))
        if overview.shown > len(records):
            rest = f"… and {overview.shown - len(records):,} more. -o report.json (or .csv, .parquet) writes all of them."
            console.print(Text(f"\n{rest}"))
        for title, lines in overview.lists():
            console.print(Text(f"\n{title}", "bold"))
            for line in lines:
                print_indented(console, Text(line), 2)
        notes = list(overview.notes())
        if notes:
            console.print()
        for note in notes:
            print_indented(console, Text(note, "dim"), 2, "· ")
        stream.write(text.getvalue().encode())


@hookimpl
def register_reports(register: Callable[[str, type[Report]], None]) -> None:
    register("table", TableReport)
