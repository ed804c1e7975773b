"""The report of a study: one HTML page that holds all it shows, and the same tables and figures for LaTeX."""
