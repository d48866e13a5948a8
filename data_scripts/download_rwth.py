"""Unpack the RWTH German Fingerspelling Database (Dreuw et al. 2006): short videos of 35 signs by 20 signers.

    python data_scripts/download_rwth.py --from ARCHIVE [--out DIR]

From: https://www-i6.informatik.rwth-aachen.de/aslr/fingerspelling.php, by hand: the archive's address is not recorded.
Licence: freely available, with the request to cite. Size: not recorded.
In DIR: video/<gesture 1-35>/<signer>_<gesture>_<session>_<camera>.mpg.
"""

import sys

from downloading import fetch

if __name__ == "__main__":
    sys.exit(fetch.script("rwth", __doc__))
