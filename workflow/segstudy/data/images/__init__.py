"""Single images and masks: decoding, orientation, what values mean, geometry between original and canvas, prediction
files, drawing. Knows no data set and no split.
"""
