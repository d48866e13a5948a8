"""Unpack OneHand10K (Wang et al. 2018): photographs of one hand each.

    python data_scripts/download_onehand10k.py --from ARCHIVE onehand10k_train.json onehand10k_test.json [--out DIR]

From: its authors, who give the pictures on request (https://www.yangangwang.com/papers/WANG-MCC-2018-10.html), and the
two label files, in MMPose's conversion, from that project's documentation of its data sets; all by hand.
Licence: not stated (none was found). Size: not recorded.
In DIR: Train/source/*.jpg, Test/source/*.jpg, annotations/onehand10k_{train,test}.json.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("onehand10k", __doc__))
