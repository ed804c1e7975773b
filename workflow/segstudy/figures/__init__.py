"""Figures and drawings of a study."""
