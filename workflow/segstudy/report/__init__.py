"""The study on one HTML page and the folder for LaTeX: collects what tables and figures have made.
Computes no number of its own.
"""
