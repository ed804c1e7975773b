"""Helpers of the tests of protocol, which other tests use too."""

MET = {"pairs_compared": 1320, "near_duplicates": 0, "moved_copies": 0, "groups": 0, "grouped_images": 0}
