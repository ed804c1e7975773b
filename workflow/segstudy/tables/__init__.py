"""From counts.csv to tables: rows and columns, captions, pairwise tests, ranking, and their Markdown, LaTeX, HTML and
CSV. Measures nothing anew.
"""
