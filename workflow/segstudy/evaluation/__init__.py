"""Numbers of a prediction: counts, metrics, shapes, thresholds, baselines, intervals and tests.
Reads no config and formats nothing.
"""
