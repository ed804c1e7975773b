"""A study as a whole: what it will cost, how far it is, what came out, what can go.
Runs nothing; Snakemake does.
"""
