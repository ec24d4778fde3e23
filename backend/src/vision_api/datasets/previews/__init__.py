"""Previews of data sets: one image with its labels drawn."""
