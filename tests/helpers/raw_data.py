"""Shared by tests of readers and phantoms: what a reader reported, and what files a folder holds."""

import hashlib


def said(frame, *words):
    """Whether one of the reader's repairs holds all of `words`."""
    return any(all(word in repair for word in words) for repair in frame.attrs["repairs"])


def contents(root):
    """Return {path: SHA-256} of all files below `root` but the list of a phantom's own files."""
    files = sorted(p for p in root.rglob("*") if p.is_file() and p.name != "phantom.json")
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
