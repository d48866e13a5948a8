"""The part of a photo that is on the screen, and the map between pixels of the screen and of the photo."""

import cv2
import numpy as np

BAR, CLOSEST = 64, 40  # height of the text below the photo; most screen pixels per pixel of the photo
GREY = (48, 48, 48)
LEAST = (320, 240)  # of the photo on the screen; in a smaller window OpenCV shrinks what it is given


def fitting(image: np.ndarray, room: tuple[int, int]) -> tuple[int, int]:
    """Width and height of a window for a photo, text included, of at most `room` pixels."""
    size, room = np.array(image.shape[1::-1]), np.array(room) - (0, BAR)
    photo = (size * (room / size).min()).round().astype(int)
    width, height = np.maximum(np.maximum(photo, np.minimum(room, (480, 300))), LEAST).tolist()
    return width, height + BAR


class View:
    """The part of a photo on the screen: `scale` screen pixels per pixel, from the corner `origin` on.

    Pixel centres are at whole numbers in both, so the corner is half a pixel before the first centre.
    """

    def __init__(self, image: np.ndarray, window: tuple[int, int]) -> None:
        self.image, self.size, self.origin = image, np.array(image.shape[1::-1]), np.zeros(2)
        self.small = 1, image  # scale, and the photo shrunk by it
        self.scale = self.fit = 0.0
        self.resize(window)

    def resize(self, window: tuple[int, int]) -> None:
        """Fill a window of another size, text included: with the whole photo as before, or around the same middle."""
        fitted, middle = self.scale == self.fit, self.to_photo(self.canvas / 2 - 0.5) if self.scale else np.zeros(2)
        self.canvas = np.maximum(np.array(window) - (0, BAR), LEAST)
        self.fit = float((self.canvas / self.size).min())
        self.scale = self.fit if fitted else min(max(self.scale, self.fit), max(CLOSEST, self.fit))
        self.origin = middle + 0.5 - self.canvas / 2 / self.scale
        self.move((0, 0))

    def to_photo(self, at: tuple) -> np.ndarray:
        """The place in the photo, (2,) pixels, under a pixel of the screen."""
        return (np.array(at) + 0.5) / self.scale + self.origin - 0.5

    def to_screen(self, point: tuple) -> np.ndarray:
        """Where a place of the photo is on the screen, (2,) pixels."""
        return (np.array(point) + 0.5 - self.origin) * self.scale - 0.5

    def nearest(self, at: tuple) -> np.ndarray:
        """The place in the photo that is on the screen nearest to the cursor."""
        return self.to_photo(np.clip(at, 0, self.canvas - 1)).clip(-0.5, self.size - 0.5)

    def move(self, by: tuple) -> None:
        """Move over the photo by screen pixels, but not beyond its edge."""
        room = self.canvas / self.scale
        clipped = np.clip(self.origin + np.array(by) / self.scale, 0, np.maximum(self.size - room, 0))
        self.origin = np.where(self.size <= room, (self.size - room) / 2, clipped)

    def zoom(self, factor: float, at: tuple) -> None:
        """Magnify; what is under the cursor stays there."""
        fixed = self.to_photo(at)
        self.scale = min(max(self.scale * factor, self.fit), max(CLOSEST, self.fit))
        self.origin = fixed + 0.5 - (np.array(at) + 0.5) / self.scale
        self.move((0, 0))

    def draw(self) -> np.ndarray:
        """The photo as it is on the screen, (h, w, 3) uint8, grey beside it."""
        if self.small[0] != min(self.scale, 1):  # averaged first: the map below alone would skip pixels
            size = np.maximum((self.size * min(self.scale, 1)).round().astype(int), 1)
            self.small = min(self.scale, 1), cv2.resize(self.image, size.tolist(), interpolation=cv2.INTER_AREA)
        small = self.small[1]
        part = np.array(small.shape[1::-1]) / self.size
        matrix = np.column_stack([np.diag(self.scale / part), self.scale * (0.5 / part - self.origin) - 0.5])
        interpolation = cv2.INTER_NEAREST if self.scale >= 4 else cv2.INTER_LINEAR
        return cv2.warpAffine(small, matrix, self.canvas.tolist(), flags=interpolation, borderValue=GREY)
