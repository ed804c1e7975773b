"""One training, from store to model file: batches, augmentation, step, validation, early stopping, resume.
The loop knows arrays and a network; `cell` alone knows files.
"""
