"""Download Rendered Hand Pose (Zimmermann and Brox 2017): 43,986 rendered pictures of people, 320x320, and unpack it.

    python data_scripts/download_rhd.py [--out DIR] [--yes]

From: the University of Freiburg. Licence: research, non-commercial. Size: 7.1 GB, and as much again unpacked.
In DIR: RHD_published_v2/{training,evaluation}/{color,depth,mask}/00000.png, and the labels beside those folders.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("rhd", __doc__))
