"""The kinds of pictures and videos, by the ends of their names."""

DRAWN = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")  # what can be written
PICTURES = (*DRAWN, ".gif", ".avif")  # what is looked for in a folder
FILMED = (".mp4", ".mov", ".mkv")  # videos that can be written
VIDEOS = (*FILMED, ".m4v", ".avi", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".mts", ".m2ts")
