"""Unpack COCO-WholeBody (Jin et al. 2020), for its hands: COCO's photographs of 2017 and one label file for each part.

    python data_scripts/download_coco_wholebody.py --from train2017.zip val2017.zip coco_wholebody_*.json [--out DIR]

From: the pages of COCO and of COCO-WholeBody, by hand, because no address was recorded: train2017.zip, val2017.zip,
coco_wholebody_train_v1.0.json and coco_wholebody_val_v1.0.json.
Licence: annotations CC BY-NC 4.0; the pictures have COCO's own terms, not re-checked. Size: not recorded.
In DIR: train2017/*.jpg, val2017/*.jpg, annotations/coco_wholebody_{train,val}_v1.0.json.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("coco-wholebody", __doc__))
