"""Label the 21 key-points of one hand in each of your photos, by clicking in a window.

    python data_scripts/label_keypoints.py PHOTO_OR_FOLDER... --out labels.json
    python data_scripts/label_keypoints.py --rwth FOLDER --out labels.json     (50 frames of the RWTH training signers)

The network's guess is there first: drag the joints that are wrong, and press n to accept the rest. The labels are
saved at every change of photo and after every few clicks. Called again with the same --out, the program continues where
you stopped. handpose/data/readers/labelled.py describes the file and reads it.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
from labelling.labels import Photos, say
from labelling.window import HELP, Labelling, show

from handpose import HandPose, files
from handpose.apply.display import check_display
from handpose.apply.listing import list_files
from handpose.apply.photos import write_image
from handpose.data.readers import labelled, rwth
from handpose.study.fingerspelling import in_turns


def write_frames(samples: rwth.Rwth, folder: Path, number: int) -> list[Path]:
    """Write pictures of the RWTH videos as PNG files to be labelled: section 4.1 fine-tunes on 50 of them.

    They are drawn at random, sign by sign in turn, so that no sign has two more than another. A picture that is there
    already is kept: calling again goes on with the same ones.
    """
    written = []
    for i in in_turns(np.random.default_rng(0).permutation(len(samples)), samples.labels)[:number]:
        sample = samples[i]
        file = folder / (sample.id.replace("/", "-").replace(".mpg#", "-") + ".png")
        if not file.exists():
            write_image(file, sample.image)
        written.append(file)
    return written


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=f"{__doc__}\nIn the window:\n\n{HELP}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="*", metavar="PHOTO_OR_FOLDER", help="pictures, or folders of them")
    parser.add_argument("--rwth", metavar="FOLDER", help="label frames of the RWTH finger-spelling videos in this "
                        "folder, of training signers only; they are written as pictures beside --out")  # fmt: skip
    parser.add_argument("--frames", type=int, default=50, help="how many frames of --rwth (default: 50)")
    parser.add_argument("--out", type=Path, required=True, help="label file to write or to continue, .json")
    parser.add_argument("--weights", help=".safetensors file for the guess (default: the bundled weights)")
    parser.add_argument("--no-prediction", action="store_true", help="start every photo without a guess")
    parser.add_argument("--max-side", type=int, help="the window's longer side at first, in pixels (default: what the "
                        "screen has room for)")  # fmt: skip
    asked = parser.parse_args(arguments)
    labelling, status = None, 0
    try:
        if asked.max_side is not None and asked.max_side < 480:
            raise ValueError(f"--max-side {asked.max_side}: at least 480 pixels are needed")
        if asked.frames < 1:
            raise ValueError(f"--frames {asked.frames}: at least one frame is needed")
        if not asked.photos and not asked.rwth:
            raise ValueError("name photos or folders of them, or --rwth FOLDER")
        photos = [photo for photo, _ in list_files(asked.photos).files]
        labelled.LabelFile(asked.out)
        check_display()
        files.check(asked.out)
        if asked.rwth:
            photos += write_frames(rwth.Rwth(asked.rwth), asked.out.with_suffix(".frames"), asked.frames)
        hp = None if asked.no_prediction else HandPose.from_pretrained(asked.weights)
        guess = hp and (lambda image: next((hand.keypoints for hand in hp(image)), None))
        labelling = Labelling(Photos(asked.out, photos, guess))
        show(labelling, asked.max_side)
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        status = 130
    except cv2.error as error:
        say(f"OpenCV cannot show its window ({' '.join(str(error.err).split())}); is it opencv-python, not -headless?")
        status = 1
    except (ValueError, OSError) as error:
        say(error)
        status = 1
    if labelling and labelling.photos.unsaved:
        say(labelling.note)
        status = 1
    if labelling:
        print(f"{asked.out}: photos with labels: {len(labelling.photos.file.entries)}")
    return status or int(bool(labelling and labelling.photos.bad))


if __name__ == "__main__":
    sys.exit(main())
