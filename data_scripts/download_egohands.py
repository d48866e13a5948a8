"""Download EgoHands (Bambach et al. 2015): 4,800 frames of two people at a table, 1280x720, and unpack it.

    python data_scripts/download_egohands.py [--from egohands_data.zip] [--out DIR] [--yes]

From: Indiana University, whose link is reported to be dead; the Internet Archive is said to hold a copy, to be fetched
with a browser and handed over with --from. Licence: not stated. Size: 1.3 GB, and as much again unpacked.
In DIR: _LABELLED_SAMPLES/CARDS_COURTYARD_B_T/frame_*.jpg and polygons.mat, and 47 further such folders.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("egohands", __doc__))
