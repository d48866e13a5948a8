"""Download the CMU Panoptic hands (Simon et al. 2017): photographs labelled by hand, and from the studio; unpack them.

    python data_scripts/download_panoptic.py --from panoptic_train.json panoptic_test.json [--out DIR] [--yes]

From: the pictures from Carnegie Mellon University; the two label files, in MMPose's conversion, by hand from that
project's documentation of its data sets. Licence: research, non-commercial; not re-checked, the page was out of reach.
Size: not recorded; it is shown, and compared with the room on the disk, once the server answers.
In DIR: hand_labels/, hand143_panopticdb/, annotations/panoptic_{train,test}.json.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("panoptic", __doc__))
