"""The config of a study: every key with its range and default, read, validated and resolved; which cells it asks for.
Knows neither torch nor Snakemake, and opens no file but configs.
"""
