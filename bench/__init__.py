"""Figures, measured on demand."""
