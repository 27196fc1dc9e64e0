"""What was measured as rows of cells, and as CSV, LaTeX and Markdown."""
