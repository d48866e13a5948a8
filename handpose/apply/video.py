"""Hands followed from frame to frame of a video or camera: frames in, drawings and numbers out."""

import contextlib
from pathlib import Path

from tqdm import tqdm

from handpose.apply import photos
from handpose.apply.ahead import Rows, ahead
from handpose.apply.capture import USUAL, Source
from handpose.apply.display import Window
from handpose.apply.recording import filming, rate
from handpose.apply.tracking import Tracker
from handpose.pipeline import HandPose


def follow(
    hp: HandPose, source: Source, rows: list[dict] | Rows | None = None, draw: Path | None = None,
    boxes: list | None = None, window: Window | None = None,
) -> None:  # fmt: skip
    """Follow the hands through a video or in front of a camera.

    Args:
        source: the frames.
        rows: where given, gets ``{"frame", "time_ms", "hands"}`` of each frame as soon as it is done: its number from
            0, when it is shown, and its hands as `photos.as_json` gives them, with their number as ``track``.
            `Source.numbered` says which frames of a camera are left out.
        draw: where the video with the hands drawn in goes; it keeps the frames' times.
        boxes: hands of the first frame; without them the detector looks for some.
        window: shows the frames, and may end it.

    Raises:
        DataError: the file ends too early, the camera gives no more.
        OutputError: the drawing cannot be written. ValueError: a box cannot be used.
    """
    if draw or window:
        from handpose.book import figures  # here: Matplotlib takes a moment
    tracker, drawn, done, looks, with_hand = Tracker(hp), None, 0, 0, 0
    usual = source.fps or USUAL
    even = rate(source.times(), usual) if draw and not source.camera else usual
    frames = source.numbered() if source.camera else ahead(source.numbered())  # a camera's wait for nobody
    bar = tqdm(total=source.count, unit="frame", desc=source.title, leave=False)
    with contextlib.closing(frames), bar, filming(draw, even) as film:
        for number, at, image in frames:
            hands = tracker(image, boxes)
            boxes = None
            if film or window:
                drawn = figures.draw_hands(image, hands)
            if film:
                film(drawn, at=1000 * number / usual if source.camera else at)
            if rows is not None:
                shown = [photos.as_json(hand) | {"track": n} for hand, n in zip(hands, tracker.numbers, strict=True)]
                rows.append({"frame": number, "time_ms": round(at, 2), "hands": shown})
            done, looks, with_hand = done + 1, looks + tracker.looked, with_hand + bool(hands)
            bar.update()
            if window and drawn is not None and not window.show(drawn):
                break
    tqdm.write(f"{source.title}: {done} frames, {with_hand} with a hand, {tracker.count} "
               f"hand{'s' * (tracker.count != 1)} followed; the detector looked at {looks}")  # fmt: skip
