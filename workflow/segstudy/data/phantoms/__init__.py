"""Drawn stand-ins of the data sets, in their official layouts, for demos and tests.
Nothing here sees a real image.
"""
