"""What stops a study before it trains: unusable files, leaks between subsets, near-duplicates, what sources have seen.
Finds and reports; mends nothing.
"""
