"""The report formats that come with forensic: one file for each."""
