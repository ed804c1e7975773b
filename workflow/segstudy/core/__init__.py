"""What every room may use: the error meant for the person, files written whole, progress, random numbers, HTML pages,
provenance. Knows nothing of studies, images or networks.
"""
