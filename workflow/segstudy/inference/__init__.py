"""Prediction with a trained network: probabilities at the original size, thresholds, masks, pseudo-labels.
Trains nothing and measures nothing.
"""
