"""Labelling a hand by hand: the labels and their file, the part of the photo on the screen, drawing, the window."""
