"""Numbers of a prediction: counts, metrics, shapes, thresholds, controls, intervals and tests.
Reads no config and formats nothing.
"""
