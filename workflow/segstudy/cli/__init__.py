"""The command `segstudy`: arguments in, a function of another room called, its answer printed.
No logic of its own; nothing imports it.
"""
