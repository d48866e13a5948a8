"""The public data sets that the package reads, in one table: what each shows, its terms, its places, its faults.

It is the source of `data_scripts/download.py`, of the list that the command line prints and of the book's appendix. An
address stands here only where it was recorded; no publisher gives a hash, so each is noted at the first download. What
was recalled and not looked up again says so.
"""

from handpose.data.dataset import Archive, Dataset
from handpose.data.readers.wild import SOURCES, SPLITS

LMB = "https://lmb.informatik.uni-freiburg.de/data"
CMU = "http://domedb.perception.cs.cmu.edu/panopticDB/hands"
INDIANA = "http://vision.soic.indiana.edu/egohands_files"
ULTRALYTICS = "https://github.com/ultralytics/assets/releases/download/v0.0.0"
ONE_DRIVE = "https://portland-my.sharepoint.com/:f:/g/personal/jiawzhang8-c_my_cityu_edu_hk/"
ONE_DRIVE += "EkznohE3YL1Jk8igTCQ4HqYBl8wiPIHNwL7U9X5b3p607Q?e=3aOPez"
SEQUENCES = tuple(f"B{number}{kind}" for number in range(1, 7) for kind in ("Counting", "Random"))
BROWSER = "fetch with a browser and hand over with --from FILE"

_TABLE = (
    Dataset(
        name="stb",
        title="Stereo Hand Pose benchmark",
        shows="18,000 pairs of pictures of one person's left hand, six backgrounds, 640x480, and as many with depth",
        citation="Zhang et al. 2016",
        home="https://github.com/zhjwustc/icip17_stereo_hand_pose_dataset",
        licence="MIT (2019) for the repository; the pictures' own terms are not stated",
        labels="21 joints in mm in a camera's frame; how they were made is not recorded",
        layout="images/B1Counting/BB_left_0.png and so on, labels/B1Counting_BB.mat and so on",
        top=("images", "labels"),
        splits=("train", "val", "all", "paper-train", "paper-val", "random-train", "random-val"),
        archives=(
            *(Archive(f"{sequence}.zip", into=f"images/{sequence}") for sequence in SEQUENCES),
            Archive("labels.zip", into="labels"),
        ),
        published_counts=tuple((f"images/{sequence}", 6000) for sequence in SEQUENCES),  # four pictures a frame
        faults=(
            "joint 0 is the palm's centre, not the wrist",
            "there are no labels in pixels; they are projected with the published constants",
            "one person",
            "the archives of B1 to B3 have no folder of their own (the script makes it)",
            "the Dropbox link is dead",
        ),
        manual="fetch the 12 sequences' archives and labels.zip with a browser from the authors' OneDrive "
        f"({ONE_DRIVE}) or Baidu (https://pan.baidu.com/s/1qXBpBg4), which give nothing to a program, and hand all of "
        "them over with --from *.zip",
    ),
    Dataset(
        name="rhd",
        title="Rendered Hand Pose",
        shows="41,258 pictures to train on and 2,728 to evaluate on, rendered people with two hands, 320x320",
        citation="Zimmermann and Brox 2017",
        licence="research, non-commercial",
        labels="42 joints in pixels and metres, seen or not, masks, cameras; from the renderer",
        layout="RHD_published_v2/{training,evaluation}/{color,depth,mask}/00000.png, anno_*.pickle beside them",
        top=("RHD_published_v2",),
        splits=("train", "val", "all"),
        archives=(Archive("RHD_v1-1.zip", (f"{LMB}/RenderedHandpose/RHD_v1-1.zip",), 7_080_690_299),),
        published_counts=(
            ("RHD_published_v2/evaluation/color", 2728),
            ("RHD_published_v2/training/color", 41_258),
        ),
        faults=(
            "the archive is called v1-1, the folder in it v2",
            "nothing says where pixel (0, 0) lies",
            "the labels are a pickle, which can run code (the reader takes arrays only)",
        ),
        manual=f"RHD_v1-1.zip: {BROWSER}",
    ),
    Dataset(
        name="freihand",
        title="FreiHAND v2",
        shows="32,560 photographs of right hands in 4 versions each (130,240) and 3,960 to evaluate on, 224x224",
        citation="Zimmermann et al. 2019",
        licence="research only",
        labels="21 joints in metres, the hand's mesh, cameras and masks; how they were made was not re-checked",
        layout="training/{rgb,mask}/00000000.jpg, evaluation/rgb, {training,evaluation}_{K,xyz,mano,scale,verts}.json",
        top=("training", "evaluation"),
        splits=("train", "val", "all", "evaluation"),
        archives=(
            Archive("FreiHAND_pub_v2.zip", (f"{LMB}/freihand/FreiHAND_pub_v2.zip",), 3_881_833_583),
            Archive("FreiHAND_pub_v2_eval.zip", (f"{LMB}/freihand/FreiHAND_pub_v2_eval.zip",), 758_382_230),
        ),
        published_counts=(("evaluation/rgb", 3960), ("training/rgb", 130_240)),
        faults=(
            "pictures i, i + 32,560, i + 65,120 and i + 97,680 are one photograph with other backgrounds and share "
            "its label: a random split leaks",
            "nothing says where pixel (0, 0) lies",
        ),
        manual=f"FreiHAND_pub_v2.zip and FreiHAND_pub_v2_eval.zip: {BROWSER}",
    ),
    Dataset(
        name="panoptic",
        title="CMU Panoptic hands",
        shows="photographs labelled by hand (manual_train, manual_test) and 14,817 pictures from the Panoptic studio; "
        "14,261 rendered ones are apart",
        citation="Simon et al. 2017",
        licence="research, non-commercial; not re-checked, the page was out of reach",
        labels="21 joints in pixels, by hand or from many views; read from panoptic_train.json and panoptic_test.json, "
        "MMPose's conversion",
        layout="hand_labels/, hand143_panopticdb/, annotations/panoptic_{train,test}.json",
        top=("hand_labels", "hand143_panopticdb", "annotations"),
        splits=("train", "val"),
        archives=(
            Archive("hand_labels.zip", (f"{CMU}/hand_labels.zip",)),
            Archive("hand143_panopticdb.tar", (f"{CMU}/hand143_panopticdb.tar",)),
            Archive("panoptic_train.json", unpack=False, into="annotations"),
            Archive("panoptic_test.json", unpack=False, into="annotations"),
        ),
        faults=(f"the rendered part ({CMU}/hand_labels_synth.zip) is not read here and not fetched",),
        manual="hand_labels.zip and hand143_panopticdb.tar: try the address with a browser; panoptic_train.json and "
        "panoptic_test.json: from MMPose's documentation of its data sets; hand over what you have with --from FILE...",
    ),
    Dataset(
        name="onehand10k",
        title="OneHand10K",
        shows="about 10,000 photographs of one hand each, as the name says; the number was not re-checked",
        citation="Wang et al. 2018",
        home="https://www.yangangwang.com/papers/WANG-MCC-2018-10.html",
        licence="not stated (none was found)",
        labels="21 joints in pixels; read from onehand10k_train.json and onehand10k_test.json, MMPose's conversion",
        layout="Train/source/*.jpg, Test/source/*.jpg, annotations/onehand10k_{train,test}.json",
        top=("Train", "Test", "annotations"),
        splits=("train", "val"),
        archives=(
            Archive("OneHand10K.zip"),
            Archive("onehand10k_train.json", unpack=False, into="annotations"),
            Archive("onehand10k_test.json", unpack=False, into="annotations"),
        ),
        faults=("joints that cannot be seen have no label and stand at (0, 0)",),
        manual="ask for the pictures on its home page (any name of the archive will do), get the two json files from "
        "MMPose's documentation of its data sets, and hand all three over with --from FILE...",
    ),
    Dataset(
        name="coco-wholebody",
        title="COCO-WholeBody, the hands",
        shows="photographs of COCO with people, many hands small; their number was not re-checked",
        citation="Jin et al. 2020",
        licence="annotations CC BY-NC 4.0; the pictures have COCO's own terms, not re-checked",
        labels="21 joints a hand in pixels, up to two hands a person",
        layout="train2017/*.jpg, val2017/*.jpg, annotations/coco_wholebody_{train,val}_v1.0.json",
        top=("train2017", "val2017", "annotations"),
        splits=("train", "val"),
        archives=(
            Archive("train2017.zip"),
            Archive("val2017.zip"),
            Archive("coco_wholebody_train_v1.0.json", unpack=False, into="annotations"),
            Archive("coco_wholebody_val_v1.0.json", unpack=False, into="annotations"),
        ),
        faults=("no address was recorded",),
        manual="fetch COCO's pictures of 2017 and the COCO-WholeBody annotations with a browser from their own pages, "
        "and hand all four files over with --from FILE...",
    ),
    Dataset(
        name="egohands",
        title="EgoHands",
        shows="4,800 frames of 48 videos of two people at a table, 1280x720, with more than 15,000 hands",
        citation="Bambach et al. 2015",
        licence="not stated",
        labels="outlines of up to four hands a frame; no key-points. By whom was not re-checked",
        layout="_LABELLED_SAMPLES/CARDS_COURTYARD_B_T/frame_*.jpg and polygons.mat, 48 such folders",
        top=("_LABELLED_SAMPLES",),
        splits=("train", "val", "all"),
        archives=(Archive("egohands_data.zip", (f"{INDIANA}/egohands_data.zip",), about=1_300_000_000),),
        faults=(
            "the link is reported to be dead, or to lead to a web page",
            "both players wore a camera: a split by video has each game on both sides (the reader splits by game)",
        ),
        manual="the Internet Archive is said to hold a copy: look up the address there with a browser, and hand "
        "egohands_data.zip over with --from FILE",
    ),
    Dataset(
        name="rwth",
        title="RWTH German Fingerspelling Database",
        shows="short videos of 35 signs, 20 signers twice each, two cameras: documented as 1,400 a camera, 1,518 are "
        "listed",
        citation="Dreuw et al. 2006",
        home="https://www-i6.informatik.rwth-aachen.de/aslr/fingerspelling.php",
        licence="freely available, with the request to cite",
        labels="the sign of each video; no key-points",
        layout="video/<gesture 1-35>/<signer>_<gesture>_<session>_<camera>.mpg",
        top=("video",),
        splits=("train", "val", "all", "paper-train", "paper-val"),
        archives=(Archive("fingerspelling.tar.gz"),),
        faults=(
            "the paper's 1,160 pictures are a subset without a published list",
            "four or five further signers were recorded in session 1 only",
        ),
        manual="fetch the archive with a browser from the home page (any name will do; its own is not recorded), and "
        "hand it over with --from FILE",
    ),
    Dataset(
        name="hand-keypoints",
        title="Hand Keypoints",
        shows="26,768 photographs, 224x224, one labelled hand each",
        citation="drawn from 11k Hands, 2000 Hand Gestures and Gesture Recognition, which are to be credited",
        licence="CC BY-NC-SA 4.0",
        labels="21 joints by MediaPipe, not by hand: a score is agreement with MediaPipe",
        layout="images/{train,val}/IMG_00000001.jpg, labels/{train,val}/IMG_00000001.txt",
        top=("images", "labels"),
        splits=("train", "val", "all", "published-train", "published-val"),
        archives=(Archive("hand-keypoints.zip", (f"{ULTRALYTICS}/hand-keypoints.zip",), about=369_000_000),),
        faults=(
            "the published split is random by video frame, so the same people are on both sides (train and val here "
            "are blocks of ids)",
            "part B: 4 to 6 % of the labels are grossly wrong, and faces can be seen",
            "pictures are stretched to a square; part A has white bars at its sides",
            "one hand a picture is labelled, also where there is a second one",
        ),
        manual=f"hand-keypoints.zip: {BROWSER}",
    ),
    Dataset(
        name="massey",
        title="Massey University ASL images",
        shows="2,515 photographs of 36 hand shapes, 5 hands in 5 lights, cut out on black, 400x400",
        citation="Barczak et al. 2011",
        licence="offered for research",
        labels="the shape, from the recording; 21 joints by a production tracker, in keypoints.csv",
        layout="<shape 0-9, a-z>/hand1_a_bot_seg_1_cropped.jpeg and so on, keypoints.csv",
        top=("keypoints.csv",),
        splits=("train", "val", "all"),
        archives=(),
        faults=("keypoints.csv is not part of the public set: it has to be made with a tracker",),
        manual="no address was recorded: get the pictures from Massey University and put the 36 folders there, with a "
        "keypoints.csv (path, score, x0, y0, ... x20, y20 in pixels)",
        folder="massey-asl",
    ),
    Dataset(
        name="asl-letters",
        title="American Sign Language Letters",
        shows="720 photographs of one person's hand, A to Z, at home, 416x416",
        citation="D. Lee 2020",
        licence="public domain",
        labels="boxes and letters by hand; 21 joints by a production tracker, in keypoints.csv (good from score 0.9)",
        layout="{train,valid,test}/{images,labels}, keypoints.csv",
        top=("train", "valid", "test"),
        splits=("train", "val", "test", "all"),
        archives=(),
        faults=(
            "keypoints.csv is not part of the public set: it has to be made with a tracker",
            "the photographs to train on hold flips and small crops",
            "one person in a few rooms: no pose network is trained on it; the detector learned from its train folder",
        ),
        manual="no address was recorded: put train, valid and test there, with a keypoints.csv (path, score, x0, y0, "
        "... x20, y20 in pixels)",
    ),
    Dataset(
        name="wild",
        title="Hands by many people in many places",
        shows="7,251 hands cut out of photographs by many cameras, and 1,534 whole photographs with 1,610 hands",
        citation="pictures of seven public sets, put together for this book",
        licence="; ".join(SOURCES.values()),
        labels="21 joints where three passes of a production tracker agree: a score is agreement with that tracker; "
        "signs of two of the sources, in signs.csv",
        layout="wild_train.json, wild_val.json, scenes_train.json (COCO's form), images/, scenes/, signs.csv",
        top=("images", "scenes"),
        splits=SPLITS,
        archives=(),
        faults=(
            "its published parts share photographs: 142 of 817 hands of `raga` to train on stand on photographs of the "
            "validation part (the reader leaves these out, and others whose key-points are the same); people and rooms "
            "do recur on both sides",
            "the tracker's guess of left and right is not checked",
            "one source, linto, states no terms: weights that are passed on are trained without it",
            "faces can be seen",
        ),
        manual="not published as a whole: gather the sources, label them with a tracker, and put label files and "
        "pictures there in this layout",
    ),
)

#: By name, in the order of the appendix.
SETS = {entry.name: entry for entry in _TABLE}


def find(name: str) -> Dataset:
    """A set's entry; a ValueError for an unknown name says which there are."""
    if name not in SETS:
        raise ValueError(f"no data set {name!r} in the catalogue; it has {', '.join(SETS)}")
    return SETS[name]
