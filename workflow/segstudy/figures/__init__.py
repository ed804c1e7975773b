"""One module a figure, named as its rule; `style` holds what all share.
matplotlib and seaborn are imported here alone.
"""
