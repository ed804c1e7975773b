"""What a job runs in: its log and messages, signals, live status, device and threads, memory, what it asks the machine
for, and the fingerprint of the code. Computes no result.
"""
