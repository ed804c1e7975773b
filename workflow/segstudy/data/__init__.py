"""From raw folders to the store that trainings read: index, card, splits, subsets, store, ground truth.
Knows nothing of networks.
"""
