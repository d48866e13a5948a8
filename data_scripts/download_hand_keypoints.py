"""Download Hand Keypoints: 26,768 photographs, 224x224, one hand each, labelled by MediaPipe; unpack it.

    python data_scripts/download_hand_keypoints.py [--out DIR] [--yes]

From: Ultralytics' releases. Licence: CC BY-NC-SA 4.0. Size: 369.0 MB, and as much again unpacked.
In DIR: images/{train,val}/IMG_00000001.jpg, labels/{train,val}/IMG_00000001.txt.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("hand-keypoints", __doc__))
