"""The kinds of pictures and videos, by the ends of their names."""

DRAWN = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")  # what can be written
#: Taken for a picture also where its content does not say so, and an error then.
PICTURES = (*DRAWN, ".jpe", ".jfif", ".gif", ".avif", ".heic", ".heif", ".jp2")
FILMED = (".mp4", ".mov", ".mkv")  # videos that can be written
VIDEOS = (*FILMED, ".m4v", ".avi", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".mts", ".m2ts")
