"""Tables and figures of papers, to be run again: a folder for each paper."""
