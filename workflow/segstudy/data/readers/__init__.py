"""One module a data set: where its images and masks lie, its official subsets, groups and strata.
A reader lists files; it decodes no pixels.
"""
