"""segstudy: studies of image-segmentation networks, from raw folders to tables a reviewer can trust."""

__version__ = "0.1.0"
