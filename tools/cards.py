"""The cards of bundled weights, made from their records."""

from handpose.data.readers.wild import SOURCES, UNSTATED

NAMES = {
    "validation": "`hand-keypoints`, block validation (labels by MediaPipe)",
    "asl-letters/all": "`asl-letters`, all three folders, never trained on (across domains)",
    "wild/val": "`wild`, other photographs than those learned from, partly of the same people and rooms (labels by MediaPipe)",
    "massey/val": "`massey`, hand 5, kept out of training",
    "synthetic/test": "rendered hands, test stream (the embedded test set)",
}


def sets(record: dict) -> dict[str, dict]:
    """Scores by the set they were made on; the parts of the validation set follow it."""
    found = {NAMES["validation"]: record}
    for part, scores in record.get("parts", {}).items():
        found[f"- its part {part}"] = scores
    return found | {NAMES[name]: scores for name, scores in record["elsewhere"].items()}


def table(record: dict) -> str:
    """Scores with their 95 % intervals, as a Markdown table."""

    def cell(scores: dict, key: str, t: str) -> str:
        value, ends = scores.get("metrics", scores)[key][t], scores["intervals"][key][t]
        return f"{value:.3f} " + (f"({ends[0]:.2f}-{ends[1]:.2f})" if ends else "(-)")

    columns = [("pck_bone", t) for t in ("0.15", "0.2", "0.25", "0.3")] + [("pck_box", "0.1")]
    lines = [
        "| set | hands | " + " | ".join(f"{t} of {'s' if k == 'pck_bone' else 'the box'}" for k, t in columns) + " |"
    ]
    lines.append("|---" * (len(columns) + 2) + "|")
    for name, scores in sets(record).items():
        cells = [cell(scores, key, t) for key, t in columns]
        lines.append(f"| {name} | {scores['images']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def wild_terms(record: dict) -> str:
    """What is owed to the sources of `wild`, where they were learned from."""
    if "wild" not in record["data"]:
        return ""
    return ", and of `wild`: " + "; ".join(v for k, v in SOURCES.items() if k != UNSTATED)


def began(record: dict) -> str:
    """What the run began from."""
    before = record.get("before")
    if not before:
        return ""
    on = f" on {', '.join(before['data'])}" if "data" in before else ""
    return (f"{began(before)}{before['steps']:,} steps of {before.get('batch', 24)}{on} ({before['seconds'] / 60:.0f} minutes), "
            "and from these weights ")  # fmt: skip


def command(start: str, record: dict) -> str:
    """The command of a run, with the weights it began from, and what ended one that had no length of its own."""
    begun = f" --init handpose/weights/{record['init']}" if record.get("before") else ""
    decay = (record.get("schedule") or record["config"]["schedule"]).get("decay")
    return f"`{start} --seed {record['seed']}{begun} --out FOLDER`" + (
        f", then `--resume --decay {decay}`" if decay else ""
    )


def turned_table(record: dict) -> str:
    """PCK on turned pictures, in one pass and with the refinement pass."""
    if "turned" not in record:
        return ""
    lines = []
    for data_set, angles in record["turned"].items():
        lines += ["", f"| {data_set} turned by | " + " | ".join(f"{a} degrees" for a in angles) + " |",
                  "|---" * (len(angles) + 1) + "|"]  # fmt: skip
        for way in next(iter(angles.values())):
            cells = [f"{e[way]['pck_bone_0.2']:.3f}, {e[way]['pck_box_0.1']:.3f}" for e in angles.values()]
            lines.append(f"| {way}: 0.2 of s, 0.1 of the box | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def pose_card(name: str, record: dict) -> str:
    """The card of one file of weights."""
    sources, minutes = ", ".join(f"`{s}`" for s in record["data"]), record["seconds"] / 60
    start = f"python -m handpose train --config {record['config']['name']} --data {','.join(record['data'])}"
    shares = record["config"]["balance"]
    total = sum(shares[s] for s in record["data"])
    mixture = ", ".join(f"{100 * shares[s] / total:.0f} % `{s}`" for s in record["data"])
    return f"""# {name}.safetensors

PoseEstimationNet with one attention block after row 10, at {record["config"]["network"]["width"]:g} of the paper's width, for
crops of {record["config"]["crop"]["size"]} pixels: {record["params"]:,} parameters, {record["gmac"]:.2f} GMAC a hand.

**Use.** For reading this book, for teaching and for research: key-points of one hand in a photograph, given a box around it.
Not for commercial use (see the licence), not for identifying or judging people, and not where a wrong point does harm.

**Licence.** CC BY-NC-SA 4.0 (`LICENSE` beside this file), because of the data: "Hand Keypoints" (CC BY-NC-SA 4.0; credit 11k Hands,
2000 Hand Gestures, Gesture Recognition), Massey University's ASL images (Barczak et al. 2011, offered for research), rendered hands{wild_terms(record)}.

**Training.** {began(record)}{command(start, record)}:
{record["steps"]:,} steps of {record["batch"]}, {minutes:.0f} minutes ({record["device"]}; torch {record["versions"]["torch"]}; commit {record["commit"]}).
Sources: {sources}, `train` split each (block split; Massey hands 1-4); each batch holds on average {mixture}, cut-outs and
rendered hands put on other backgrounds.

**Scores.** PCK with 95 % bootstrap intervals by group (blocks of 25 ids, letters, persons); box of the key-points; "s" is the
index finger's proximal bone. Labels of the photographs were made by trackers, so scores on them are agreement with a tracker.

{table(record)}
{turned_table(record)}
**Known faults.** Fists and hands that cover their own fingers; hands seen end-on; the other hand in the picture; photographs unlike
the training set: compare the rows above. A point is always given, also where there is no hand: look at the scores.
"""


def before_training(record: dict) -> dict:
    """The scores of the weights that a detector's runs on photographs by many people began from."""
    while "one_labelled" in record.get("before", {}):
        record = record["before"]
    return record


def detector_card(name: str, record: dict) -> str:
    """The card of the detector's weights."""
    threshold, minutes = record["threshold"], record["seconds"] / 60
    shares = ", ".join(f"{100 * share:.0f} % {name}" for name, share in record["shares"].items())
    lines = ["| set | pictures | hands | AP at IoU 0.5 | AP 0.5 to 0.95 |", "|---|---|---|---|---|"]
    for data_set, scores in record["precision"].items():
        cells = []
        for key in ("ap50", "ap"):
            low, high = scores["intervals"][key]
            cells.append(f"{scores[key]:.3f} ({low:.2f}-{high:.2f})")
        lines.append(f"| {data_set} | {scores['pictures']} | {scores['hands']} | " + " | ".join(cells) + " |")
    start = before_training(record)
    for title, number, value, now, then in (
        ("`hand-keypoints` val, recall at IoU 0.5", "pictures", "recall50", record["one_labelled"], start["one_labelled"]),
        *((f"{data_set}, by the hand's part of the picture, recall at IoU 0.5", "hands", "recall50", sizes,
           start["sizes"][data_set]) for data_set, sizes in record["sizes"].items()),
        ("pictures without a hand: boxes a picture", "pictures", "false_alarms_per_picture", record["empty"], start["empty"]),
    ):  # fmt: skip
        lines += ["", f"| {title} | number | before | now |", "|---|---|---|---|"]
        lines += [f"| {key} | {e[number]:,} | {then[key][value]:.3f} | {e[value]:.3f} |" for key, e in now.items()]
    lines += ["", "| wild/val turned by, recall at IoU 0.5 | before | now |", "|---|---|---|"]
    lines += [f"| {angle} degrees | {start['turned'][angle]:.3f} | {e:.3f} |" for angle, e in record["turned"].items()]
    table = "\n".join(lines)
    return f"""# {name}.safetensors

HandDecNet, an SSD for hands in pictures of any size, shrunk to 256 pixels: {record["params"]:,} parameters, {record["gmac"]:.2f} GMAC a picture.

**Use.** Finds the hands for PoseEstimationNet. For reading this book, for teaching and for research; not for commercial use (see the
licence), not for watching people, and not where a missed hand does harm.

**Licence.** CC BY-NC-SA 4.0 (`LICENSE` beside this file), because of the data: "Hand Keypoints" (CC BY-NC-SA 4.0; credit 11k Hands,
2000 Hand Gestures, Gesture Recognition), Massey University's ASL images (Barczak et al. 2011, offered for research), American Sign
Language Letters (D. Lee 2020, public domain), rendered hands{wild_terms(record)}.

**Training.** {began(record)}{command("python data_scripts/train_detector.py", record)}: {record["steps"]:,} steps of {record["batch"]}, {minutes:.0f} minutes
({record["device"]}; torch {record["versions"]["torch"]}; commit {record["commit"]}). A batch holds on average {shares}; seven pictures in ten
are turned by any angle.

**Scores**, at the default confidence of {threshold} where one is needed; 95 % bootstrap intervals by letter or by 25 scenes.
The `asl-letters` test photographs show the same person as those it learned from. On `hand-keypoints` one hand a picture is labelled.
*Before* is before the training on photographs by many people. *Part of the picture*: longer side of the hand's box against that of the picture.

{table}

**Known faults.** Hands smaller than a fifth of the picture; hands that overlap; a face or a foot may pass for a hand.
"""


def gestures_card(name: str, record: dict) -> str:
    """The card of the reader of letters."""

    def cell(entry: dict) -> str:
        low, high = entry["interval"]
        return f"{entry['wer']:.3f} ({low:.2f}-{high:.2f})"

    lines = ["| who is read | signs | key-points found | a tracker's key-points |", "|---|---|---|---|"]
    for person, entry in record["persons"].items():
        lines.append(f"| {person} | {entry['found']['signs']} | {cell(entry['found'])} | {cell(entry['tracker'])} |")
    far = record["asl-letters"]
    lines.append(
        f"| `asl-letters`, box given | {far['box given']['signs']} | {cell(far['box given'])} | {cell(far['tracker'])} |"
    )
    lines.append(f"| `asl-letters`, end to end | {far['end to end']['signs']} | {cell(far['end to end'])} | |")
    table = "\n".join(lines)
    errors, wrong = record["errors"], [f"{a or 'nothing'} for {b}" for b, a, _ in record["misread"]["end to end"][:6]]
    median, decile = (100 * sum(errors[k]) / len(errors[k]) for k in ("median", "ninth_decile"))
    return f"""# {name}.safetensors

GestureNet in its sound reading, {record["params"]:,} parameters: {len(record["labels"])} shapes of the hand from 21 key-points. They are the digits and
letters of the American finger alphabet: {", ".join(record["labels"])}. What is written with a stroke is one shape with two meanings.

**Use.** To show what a chain of detector, key-points and reader does, in this book and in teaching. **It reads single held hand
shapes and nothing else**: it does not read signs that move, words, or any sign language, and it names a shape for every hand, also
where none is meant. Not for commercial use (see the licence), not for judging people, and not where a wrong letter does harm.

**Licence.** CC BY-NC-SA 4.0 (`LICENSE` beside this file), because it learned from points that the bundled pose network gives, and from
these sets: Massey University's ASL images (Barczak et al. 2011, offered for research), five hands; Sign Language Digits (A. Mavi 2020,
CC BY-SA 4.0), digits by 218 students; ASLAlphabets (keptsecret, Apache-2.0), letters by one person.

**Training.** `python data_scripts/train_gestures.py bundle`: {sum(record["learned_from"].values()):,} hands, each with the key-points that the bundled pose network finds and with
a tracker's, to which errors of the pose network are added, taken from {record["errors"]["hands"]:,} hands held out from its training (a joint's median is {median:.1f} % of
the longer side of the hand's box, its ninth decile {decile:.1f} %, mean over joints). All are turned, stretched, shaken and mirrored
({record["device"]}; torch {record["versions"]["torch"]}; commit {record["commit"]}).

**Scores.** Word error rates (one minus the accuracy), with 95 % Wilson intervals that take the pictures for independent. Everybody is
read by a classifier that has not learned from them; `asl-letters` (val and test) is another person, from whom nothing was learned here.
j and z, which move, are left out. `aslalpha` is the person of the letters. The pose network may know the hands in the first rows; the detector has seen `asl-letters`.

{table}

**Known faults.** A fist is many letters (a, e, m, n, s, t). Most often misread end to end: {", ".join(wrong)}.
"""


def card_of(name: str, record: dict) -> str:
    """The card of any bundled file."""
    return {"handdecnet": detector_card, "bundle": gestures_card}.get(record["method"], pose_card)(name, record)
