"""Unpack the Stereo Hand Pose benchmark (Zhang et al. 2016): 18,000 pairs of pictures of one left hand, 640x480.

    python data_scripts/download_stb.py --from *.zip [--out DIR] [--yes]

From: the authors' OneDrive or Baidu folder, by hand, because neither gives anything to a program: the 12 archives
B1Counting.zip to B6Random.zip and labels.zip. The line that this script ends with, while they are missing, names both
addresses. Licence: MIT (2019) for the repository; the pictures' own terms are not stated. Size: not recorded.
In DIR: images/B1Counting/BB_left_0.png and so on, labels/B1Counting_BB.mat and so on.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("stb", __doc__))
