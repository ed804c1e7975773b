"""Write PNG files of 16 bits a channel, which Pillow writes of grey images alone."""

import struct
import zlib

import numpy as np


def write_png(path, array, kind):
    """Write uint16 (H, W) or (H, W, channels); `kind`: PNG's colour type, 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    height, width = array.shape[:2]
    rows = np.ascontiguousarray(array).astype(">u2").reshape(height, -1).view(np.uint8)
    content = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes())
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
