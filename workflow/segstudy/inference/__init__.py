"""What a trained network makes of images: probabilities at their original size, thresholds, masks, pseudo-labels.
Trains nothing and measures nothing.
"""
