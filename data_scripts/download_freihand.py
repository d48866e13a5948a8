"""Download FreiHAND, version 2 (Zimmermann et al. 2019): 130,240 photographs of hands to train on, and unpack it.

    python data_scripts/download_freihand.py [--out DIR] [--yes]

From: the University of Freiburg, two archives. Licence: research only. Size: 4.6 GB, and as much again unpacked.
In DIR: training/{rgb,mask}/00000000.jpg, evaluation/rgb, {training,evaluation}_{K,xyz,mano,scale,verts}.json.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("freihand", __doc__))
