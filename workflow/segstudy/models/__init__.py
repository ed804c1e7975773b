"""Networks, one module each, found through the registry; their layers and cost; model files.
Knows nothing of losses, training or studies.
"""
