"""Labelling photos by hand: the window's handlers, driven without a display, and the reader of the label file."""

import copy
import errno
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from labelling.labels import DONE, Photos
from labelling.view import BAR, CLOSEST
from labelling.window import SAVE_EVERY, Labelling

from handpose import data, files
from handpose.data import DataError, SyntheticHands
from handpose.data.readers.labelled import FORMAT, Labelled, read
from handpose.skeleton import JOINTS, tight_box

SCRIPT = Path(__file__).resolve().parents[2] / "data_scripts" / "label_keypoints.py"
spec = importlib.util.spec_from_file_location("label_keypoints", SCRIPT)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

DOWN, UP, MOVE, RIGHT = cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONUP, cv2.EVENT_MOUSEMOVE, cv2.EVENT_RBUTTONDOWN
LEFT_ARROW, RIGHT_ARROW, F1 = 0xFF51, 0xFF53, 0xFFBE


@pytest.fixture(scope="module")
def hands():
    return [SyntheticHands(size=128, split="val")[i] for i in range(3)]


@pytest.fixture
def photos(tmp_path, hands):
    """anna/0.png, ben/1.png, ben/2.png"""
    paths = [tmp_path / name for name in ("anna/0.png", "ben/1.png", "ben/2.png")]
    for path, hand in zip(paths, hands, strict=True):
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), hand.image[..., ::-1])
    return paths


@pytest.fixture
def out(tmp_path):
    return tmp_path / "labels.json"


def labelling_of(out, photos, predict=None, max_side=1000):
    return Labelling(Photos(out, photos, predict), max_side)


def screen(labelling, point):
    """The screen pixel that shows a place of the photo."""
    return tuple(int(v) for v in np.rint(labelling.view.to_screen(point)))


def click(labelling, point, *, to=None):
    """Press at a place of the photo, let go there or elsewhere; where on the photo that was."""
    at, end = screen(labelling, point), screen(labelling, point if to is None else to)
    labelling.mouse(DOWN, *at)
    if to is not None:
        for part in (0.3, 0.7, 1.0):
            labelling.mouse(MOVE, *(round(a + part * (e - a)) for a, e in zip(at, end, strict=True)))
    labelling.mouse(UP, *end)
    return labelling.view.to_photo(end)


def keys(labelling, text):
    for code in text:
        labelling.key(code if isinstance(code, int) else ord(code))


def keypoints(labelling):
    return labelling.state.keypoints


def placed(labelling):
    return [joint for joint, point in enumerate(keypoints(labelling)) if point is not None]


def joint(labelling):
    return labelling.state.joint


def saved(out):
    return {entry["path"]: entry for entry in json.loads(out.read_text())["images"]}


def far_apart(count=21):
    """Places that no click confuses."""
    return [(10 + 25 * (j % 5), 12 + 22 * (j // 5)) for j in range(count)]


# Setting and changing joints


def test_21_clicks_label_a_hand(photos, out, hands):
    labelling = labelling_of(out, photos)
    assert labelling.image().shape == (1000, 936, 3) and labelling.image().dtype == np.uint8
    for j, point in enumerate(hands[0].keypoints):
        assert joint(labelling) == j and placed(labelling) == list(range(j))
        click(labelling, point)
    assert joint(labelling) == DONE
    # Within half a screen pixel of what was aimed at.
    assert np.abs(np.array(keypoints(labelling)) - hands[0].keypoints).max() <= 0.5 / labelling.view.scale + 1e-6
    before = keypoints(labelling)
    click(labelling, (2, 2))  # a click too many
    assert keypoints(labelling) == before and "all joints are done" in labelling.note
    keys(labelling, "q")
    assert labelling.done
    entry = saved(out)["anna/0.png"]
    assert list(entry) == ["path", "width", "height", "keypoints", "box", "shape"]
    assert entry["box"] == pytest.approx(tight_box(np.array(before)), abs=1e-3) and entry["shape"] is None
    assert (entry["width"], entry["height"]) == (128, 128) and len(saved(out)) == 1
    assert json.loads(out.read_text())["order"] == list(JOINTS)
    # The file is exact to half a screen pixel even where the photo is magnified most.
    assert np.abs(np.array(entry["keypoints"]) - before).max() < 0.5 / CLOSEST / 2


def test_a_joint_is_dragged(photos, out):
    labelling = labelling_of(out, photos)
    for point in far_apart(3):
        click(labelling, point)
    end = click(labelling, far_apart()[1], to=(90, 90))
    assert keypoints(labelling)[1] == pytest.approx(end) and joint(labelling) == 3
    assert keypoints(labelling)[0] == pytest.approx(far_apart()[0], abs=0.1)
    click(labelling, (90, 90), to=(400, -50))  # beyond the edge: the photo's corner
    assert keypoints(labelling)[1] == pytest.approx((127.5, -0.5), abs=0.5)
    click(labelling, (50, 100), to=(55, 105))  # a new joint may be dragged as it is set
    assert keypoints(labelling)[3] == pytest.approx((55, 105), abs=0.1) and joint(labelling) == 4


def test_joints_that_lie_close_together(photos, out):
    labelling = labelling_of(out, photos)
    click(labelling, (60, 60))
    click(labelling, (60.5, 60.5))  # near the wrist, and yet the next joint
    assert placed(labelling) == [0, 1] and joint(labelling) == 2
    keys(labelling, "u5")
    assert placed(labelling) == [0] and joint(labelling) == 17
    click(labelling, (90, 60))
    keys(labelling, "\b")  # a joint that has its place is chosen: now a click on another one chooses that
    assert joint(labelling) == 17
    click(labelling, (60, 60))
    assert joint(labelling) == 0 and placed(labelling) == [0, 17]


def test_undo_and_redo_go_all_the_way(photos, out):
    labelling = labelling_of(out, photos)
    steps = [labelling.state]
    for j, point in enumerate(far_apart()):
        click(labelling, point)
        if j % 5 == 0:
            click(labelling, point, to=(point[0] + 6, point[1] + 3))  # one step, however many movements
        if j % 7 == 0:
            keys(labelling, "4x")
        while len(steps) < len(labelling.photos.history.past):
            steps.append(labelling.photos.history.past[len(steps)])
    assert len(steps) == 1 + 21 + 5 + 3
    for step in steps[-2::-1]:
        keys(labelling, "u")
        assert keypoints(labelling) == step.keypoints
    keys(labelling, "u")
    assert labelling.note == "there is nothing to undo" and placed(labelling) == []
    for step in steps[1:]:
        keys(labelling, "r")
        assert keypoints(labelling) == step.keypoints
    keys(labelling, "r")
    assert labelling.note == "there is nothing to redo"
    keys(labelling, "uuu")
    keys(labelling, "0")
    click(labelling, (64, 120))
    keys(labelling, "r")  # a new step ends what could be redone
    assert labelling.note == "there is nothing to redo"
    before = keypoints(labelling)
    keys(labelling, "c")
    assert placed(labelling) == [] and joint(labelling) == 0
    keys(labelling, "u")
    assert keypoints(labelling) == before


def test_joints_that_are_not_visible(photos, out):
    labelling = labelling_of(out, photos)
    places = far_apart()
    click(labelling, places[0])
    labelling.mouse(RIGHT, *screen(labelling, places[0]))  # though the wrist is under the cursor: the next joint
    labelling.mouse(RIGHT, *screen(labelling, (100, 120)))
    keys(labelling, "x")
    assert placed(labelling) == [0] and joint(labelling) == 4
    for point in places[4:]:
        click(labelling, point)
    assert joint(labelling) == DONE
    labelling.mouse(RIGHT, *screen(labelling, places[7]))  # now the one under the cursor
    assert 7 not in placed(labelling) and joint(labelling) == DONE
    keys(labelling, "us")
    assert placed(labelling) == [0, *range(4, 21)] and labelling.note == "saved"
    sample = Labelled(out)[0]
    assert np.flatnonzero(~sample.visible).tolist() == [1, 2, 3]


def test_presses_outside_the_photo_do_nothing(tmp_path, out):
    cv2.imwrite(str(tmp_path / "wide.png"), np.zeros((16, 400, 3), np.uint8))
    labelling = labelling_of(out, [tmp_path / "wide.png"], None, 500)
    height, width = labelling.image().shape[:2]
    assert width == 500 and height == 300 + BAR
    keys(labelling, "+++")
    for y in (3, height - BAR - 3, height - 10):
        for event in (DOWN, RIGHT):
            labelling.mouse(event, 250, y)
            labelling.mouse(UP, 250, y)
            assert "outside" in labelling.note and len(labelling.photos.history.past) == 1
    keys(labelling, "q")
    assert not out.exists()  # nothing was labelled


def test_keys_choose_joints(photos, out):
    labelling = labelling_of(out, photos)
    for typed, chosen in (("2", 5), ("2", 6), ("222", 5), ("1", 1), ("5", 17), ("0", 0), ("\t", 1), ("\t\t", 3),
                          ("\b", 2), ("\b\b\b", 20), ("\t", 0)):  # fmt: skip
        keys(labelling, typed)
        assert joint(labelling) == chosen, typed
    for code in (0xFF09, 0x10000 | 0xFF09):  # with Shift held, or a lock on
        keys(labelling, [code])
    assert joint(labelling) == 2
    before = labelling.state
    keys(labelling, [0xFFE1, 0xFFE5, 0, 0x00F1, 200, ord("9"), ord("v"), ord(" ")])  # no meaning
    assert labelling.state == before and not labelling.photos.unsaved


def test_help_is_drawn(photos, out):
    labelling = labelling_of(out, photos)
    plain = labelling.image()
    for code in (ord("?"), F1, 0x700000, 0xF704):
        keys(labelling, [code])
        assert (labelling.image() != plain).mean() > 0.5
        keys(labelling, [0xFFE1])  # Shift alone, as before a second ?, changes nothing
        keys(labelling, [code])
    assert not labelling.help and np.array_equal(labelling.image()[:900], plain[:900])


# The map between screen and photo


@pytest.mark.parametrize(("width", "height"), [(128, 128), (1500, 400), (61, 300), (700, 900)])
def test_clicks_are_exact_under_zoom_and_pan(tmp_path, out, width, height):
    """A photo with bright pixels: wherever the view stands, clicking their middle on the screen gives their place."""
    rng = np.random.default_rng(width)
    cells = np.stack([rng.integers(0, width, 8), rng.integers(0, height, 8)], 1)
    image = np.zeros((height, width, 3), np.uint8)
    image[cells[:, 1], cells[:, 0]] = 255
    cv2.imwrite(str(tmp_path / "dots.png"), image)
    tried = 0
    for trial in range(30):
        labelling = labelling_of(out, [tmp_path / "dots.png"], None, 600)
        view, cell = labelling.view, cells[trial % 8]
        for _ in range(rng.integers(5, 20)):
            at = screen(labelling, cell + rng.normal(0, 1, 2))
            labelling.mouse(cv2.EVENT_MOUSEWHEEL, *at, int(rng.choice([1, 1, 1, -1])) << 16)
            keys(labelling, [int(rng.choice([LEFT_ARROW, RIGHT_ARROW, ord("j"), ord("k"), 0x260000, 0xF702, 1]))])
            labelling.mouse(cv2.EVENT_MBUTTONDOWN, 100, 100)
            labelling.mouse(MOVE, 100 + int(rng.integers(-30, 30)), 100 + int(rng.integers(-30, 30)))
            labelling.mouse(cv2.EVENT_MBUTTONUP, 100, 100)
        assert view.fit <= view.scale <= max(CLOSEST, view.fit)
        where = view.to_screen(cell)
        reach = max(1, view.scale / 2) + 2
        others = [np.abs(view.to_screen(c) - where).max() for c in cells if (c != cell).any()]
        if (where < reach).any() or (where > view.canvas - 1 - reach).any() or min(others) < 2 * reach + view.scale:
            continue
        tried += 1
        # What is drawn lies where the map says.
        x0, y0 = (where - reach).astype(int)
        x1, y1 = (where + reach + 2).astype(int)
        spot = view.draw()[y0:y1, x0:x1, 0].astype(float)
        ys, xs = np.mgrid[y0:y1, x0:x1]
        middle = np.array([(spot * xs).sum(), (spot * ys).sum()]) / spot.sum()
        assert np.abs(middle - where).max() < 0.5
        # And a click there comes back to under half a screen pixel.
        click(labelling, cell)
        assert np.abs(keypoints(labelling)[0] - cell).max() * view.scale <= 0.5 + 1e-6
    assert tried >= 5


def test_zoom_keeps_what_is_under_the_cursor(photos, out):
    labelling = labelling_of(out, photos)
    view, at = labelling.view, (500, 430)
    fixed = view.to_photo(at)
    labelling.mouse(MOVE, *at)
    for code in ("+", "=", 0xFFAB, "-", "+"):
        keys(labelling, [code])
        assert view.to_photo(at) == pytest.approx(fixed)
    for _ in range(30):
        labelling.mouse(cv2.EVENT_MOUSEWHEEL, *at, 120 << 16)
    assert view.scale == CLOSEST and view.to_photo(at) == pytest.approx(fixed)
    keys(labelling, "f")
    assert view.scale == view.fit and np.abs(view.origin).max() < 0.1
    labelling.mouse(cv2.EVENT_MOUSEWHEEL, *at, -(120 << 16))
    assert view.scale == view.fit  # not smaller than the whole photo
    keys(labelling, "+++++++" + 40 * "h" + 40 * "k")  # not beyond the edge
    assert view.origin == pytest.approx((0, 0))
    keys(labelling, 40 * "l" + 40 * "j")
    assert view.origin + view.canvas / view.scale == pytest.approx((128, 128))


# Photos, saving and going on


def test_photos_are_gone_through_and_saved(photos, out):
    labelling = labelling_of(out, photos)
    keys(labelling, "p")
    assert labelling.photos.index == 0 and "first photo" in labelling.note and not out.exists()
    click(labelling, (40, 50))
    keys(labelling, "n")
    assert labelling.photos.index == 1 and set(saved(out)) == {"anna/0.png"}
    click(labelling, (70, 30))
    keys(labelling, "p")
    assert labelling.photos.index == 0 and set(saved(out)) == {"anna/0.png", "ben/1.png"}
    assert keypoints(labelling)[0] == pytest.approx((40, 50), abs=0.1)
    keys(labelling, "u")  # steps of an earlier visit can still be undone
    assert placed(labelling) == []
    keys(labelling, "rnnn")
    assert labelling.photos.index == 2 and "last photo" in labelling.note
    assert list(saved(out)) == ["anna/0.png", "ben/1.png", "ben/2.png"]
    assert saved(out)["ben/2.png"]["keypoints"] == [None] * 21 and saved(out)["ben/2.png"]["box"] is None


def test_a_guess_is_saved_only_when_taken(photos, out, hands):
    calls = []

    def predict(image):
        assert image.shape == (128, 128, 3)
        calls.append(image)
        guess = hands[len(calls) - 1].keypoints.copy()
        guess[3], guess[4] = np.nan, (130, 5)  # of no use
        return guess

    labelling = labelling_of(out, photos, predict)
    assert np.array_equal(calls[0], hands[0].image)  # RGB
    assert placed(labelling) == [j for j in range(21) if j not in (3, 4)] and joint(labelling) == 3
    keys(labelling, "?\tp")
    labelling.save()
    assert not out.exists()
    keys(labelling, "n")
    assert set(saved(out)) == {"anna/0.png"}
    joints = saved(out)["anna/0.png"]["keypoints"]
    assert joints[3] is None and joints[4] is None and joints[5] == pytest.approx(hands[0].keypoints[5], abs=1e-3)
    click(labelling, hands[1].keypoints[8], to=(64, 64))  # a correction takes the rest as right
    keys(labelling, "u")  # undone: a guess again
    keys(labelling, "p")
    assert set(saved(out)) == {"anna/0.png"}
    keys(labelling, "nr")
    keys(labelling, "p")
    assert set(saved(out)) == {"anna/0.png", "ben/1.png"} and len(calls) == 2
    keys(labelling, "nnq")
    assert labelling.done and len(calls) == 3 and set(saved(out)) == {"anna/0.png", "ben/1.png"}  # seen, but not taken
    again = labelling_of(out, photos, lambda image: None)
    assert again.photos.index == 1 and joint(again) == 3  # not finished, as far as a file can tell
    keys(again, "n")
    assert again.photos.index == 2 and placed(again) == []  # no hand was found


def test_saved_after_every_few_changes(photos, out):
    labelling = labelling_of(out, photos)
    for j, position in enumerate(far_apart()):
        click(labelling, position)
        if j + 1 >= SAVE_EVERY:  # then a killed session has lost the last few clicks at most
            labelled = sum(point is not None for point in saved(out)["anna/0.png"]["keypoints"])
            assert j + 1 - labelled < SAVE_EVERY
    labelling.save()
    click(labelling, far_apart()[2], to=(100, 120))
    labelling.save()
    assert saved(out)["anna/0.png"]["keypoints"][2] == pytest.approx((100, 120), abs=0.1)  # where it was let go


def test_it_goes_on_where_it_was_left(photos, out, tmp_path, monkeypatch):
    labelling = labelling_of(out, photos)
    keys(labelling, "n")
    for point in far_apart(4):
        click(labelling, point)
    labelling.save()
    # Another session, from elsewhere and by other names: the same photos.
    monkeypatch.chdir(tmp_path / "ben")
    os.symlink(tmp_path, tmp_path / "link")
    again = labelling_of("../labels.json", [Path("../anna/0.png"), Path("1.png"), tmp_path / "link/ben/2.png"])
    assert again.photos.index == 1 and joint(again) == 4
    assert np.array(keypoints(again)[:4]) == pytest.approx(np.array(keypoints(labelling)[:4]), abs=1e-3)
    for point in far_apart()[4:]:
        click(again, point)
    keys(again, "q")
    assert list(saved(out)) == ["anna/0.png", "ben/1.png"]
    assert labelling_of(out, photos).photos.index == 2
    third = labelling_of(out, [photos[2]])
    keys(third, "xq")
    assert list(saved(out)) == ["anna/0.png", "ben/1.png", "ben/2.png"]  # the others are kept
    assert labelling_of(out, photos).photos.index == 2 and labelling_of(out, photos[:2]).photos.index == 1


def test_what_else_stands_in_an_entry_is_kept(photos, out):
    labelling = labelling_of(out, photos)
    keys(labelling, "s")
    content = json.loads(out.read_text())
    content["images"][0] |= {"shape": "a", "by": "Kim"}
    out.write_text(json.dumps(content))
    labelling = labelling_of(out, photos)
    click(labelling, (30, 40))
    keys(labelling, "q")
    assert saved(out)["anna/0.png"]["shape"] == "a" and saved(out)["anna/0.png"]["by"] == "Kim"
    assert saved(out)["anna/0.png"]["keypoints"][0] == pytest.approx((30, 40), abs=0.1)


def test_a_full_disk_costs_nothing_that_was_saved(photos, out, monkeypatch):
    labelling = labelling_of(out, photos)
    click(labelling, (40, 50))
    keys(labelling, "s")
    before = out.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    for point in far_apart()[5:13]:
        click(labelling, point)
    assert "NOT SAVED" in labelling.note and "No space left" in labelling.note and out.read_bytes() == before
    keys(labelling, "n")  # goes on, and loses nothing
    assert labelling.photos.index == 1 and "NOT SAVED" in labelling.note and out.read_bytes() == before
    keys(labelling, "tq")
    assert not labelling.done and "NOT SAVED" in labelling.note
    assert sorted(f.name for f in out.parent.iterdir()) == ["anna", "ben", "labels.json"]
    monkeypatch.undo()
    keys(labelling, "q")
    assert labelling.done and len([p for p in saved(out)["anna/0.png"]["keypoints"] if p]) == 9
    monkeypatch.setattr(files.os, "fsync", full)
    labelling = labelling_of(out, photos)
    keys(labelling, "xq")
    assert not labelling.done
    keys(labelling, "q")  # a second time: really
    assert labelling.done and labelling.photos.unsaved


# The program


class Window:
    """Stands in for OpenCV's window; a script of keys and mouse events plays on it."""

    def __init__(self, monkeypatch, acts, screen=(1366, 768)):
        self.acts, self.shown, self.open, self.screen, self.size = list(acts), [], False, screen, (0, 0)
        monkeypatch.setattr(script, "check_display", lambda: None)
        monkeypatch.setattr(cv2, "namedWindow", self.named)
        monkeypatch.setattr(cv2, "setMouseCallback", lambda title, handler: setattr(self, "handler", handler))
        monkeypatch.setattr(cv2, "imshow", lambda title, image: self.shown.append(image.shape))
        monkeypatch.setattr(cv2, "waitKeyEx", self.wait)
        monkeypatch.setattr(cv2, "getWindowProperty", lambda title, which: float(self.open))
        monkeypatch.setattr(cv2, "resizeWindow", lambda title, *size: setattr(self, "size", size))
        monkeypatch.setattr(cv2, "setWindowProperty", lambda *_: setattr(self, "size", self.screen))
        monkeypatch.setattr(cv2, "getWindowImageRect", lambda title: (0, 0, *self.size))
        monkeypatch.setattr(cv2, "moveWindow", lambda title, *position: setattr(self, "position", position))
        monkeypatch.setattr(cv2, "destroyWindow", lambda title: self.shown.clear())

    def named(self, *arguments):
        self.open = True

    def wait(self, delay):
        if self.size == self.screen:  # filled, to be measured
            return -1
        act = self.acts.pop(0)
        if act == "close":
            self.open = False
        elif isinstance(act, list):
            self.size = tuple(act)
        elif isinstance(act, tuple):
            self.handler(*act, 0, None)
        elif isinstance(act, BaseException):
            raise act
        else:
            return ord(act)
        return -1


def run(*arguments):
    try:
        return script.main([str(a) for a in arguments])
    except SystemExit as stop:
        return stop.code


def one_line(capsys, *words):
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and all(str(word) in lines[0] for word in words), lines


def test_bad_photos_among_good_ones(photos, out, tmp_path, monkeypatch, capsys):
    (tmp_path / "anna" / "broken.png").write_bytes(photos[0].read_bytes()[:200])
    (tmp_path / "ben" / "0.jpg").write_text("no picture")
    window = Window(monkeypatch, [(DOWN, 300, 300), (UP, 300, 300), *"nnnpppq"])
    assert run(tmp_path / "anna", tmp_path / "ben", tmp_path / "gone.png", "--out", out, "--no-prediction") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3 and all(sum(name in line for line in lines) == 1 for name in ("broken", "0.jpg", "gone"))
    assert list(saved(out)) == ["anna/0.png", "ben/1.png", "ben/2.png"] and not window.acts
    assert saved(out)["anna/0.png"]["keypoints"][0] is not None
    assert set(window.shown) == {(658, 594, 3)}  # on a screen of 1366 x 768, with its frame
    Window(monkeypatch, "")
    assert run(tmp_path / "gone.png", tmp_path / "ben" / "0.jpg", "--out", out, "--no-prediction") == 1
    assert "none of these photos" in capsys.readouterr().err.strip().splitlines()[-1]


def test_all_well_with_the_networks_guess(photos, out, monkeypatch, capsys):
    class Network:
        def __call__(self, image):
            found = type("Hand", (), {"keypoints": np.full((21, 2), 9.0, np.float32)})
            return [found, None] if image.mean() > 0 else []

    monkeypatch.setattr(script.HandPose, "from_pretrained", lambda weights: Network())
    Window(monkeypatch, "nq")
    assert run(photos[0], "--out", out) == 0
    assert saved(out)["anna/0.png"]["keypoints"] == [[9, 9]] * 21
    assert "photos with labels: 1" in capsys.readouterr().out


@pytest.mark.parametrize(("end", "status"), [("close", 0), (KeyboardInterrupt(), 130)])
def test_ended_from_outside_nothing_is_lost(photos, out, monkeypatch, end, status):
    Window(monkeypatch, [(DOWN, 300, 300), (UP, 300, 300), "x", end])
    assert run(*photos, "--out", out, "--no-prediction") == status
    assert saved(out)["anna/0.png"]["keypoints"][0] is not None
    Window(monkeypatch, "q")
    assert run(*photos, "--out", out, "--no-prediction") == 0


@pytest.mark.parametrize("screen", [(1366, 768), (2560, 1440), (800, 600)])
@pytest.mark.parametrize(("width", "height"), [(128, 128), (400, 100), (90, 160)])
def test_the_window_fits_its_screen(tmp_path, out, monkeypatch, screen, width, height):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((height, width, 3), np.uint8))
    window = Window(monkeypatch, "xq", screen)
    assert run(tmp_path / "a.png", "--out", out, "--no-prediction") == 0
    ((high, wide, _),) = set(window.shown)
    assert wide <= screen[0] - 20 and high <= screen[1] - 110  # beside the frame and the desktop's bars
    assert wide == screen[0] - 20 or high == screen[1] - 110  # and as large as that
    assert window.position[0] + wide < screen[0] and window.position[1] + 30 + high < screen[1]  # below its title
    window = Window(monkeypatch, "xq", screen)
    assert run(tmp_path / "a.png", "--out", out, "--no-prediction", "--max-side", 500) == 0
    assert max(max(shape) for shape in window.shown) <= 500


def test_a_window_is_resized(photos, out, monkeypatch):
    """What is drawn has the window's size, and a click means the place under it."""
    window = Window(monkeypatch, [[900, 464], (DOWN, 450, 200), (UP, 450, 200), [700, 700], "q"])
    assert run(photos[0], "--out", out, "--no-prediction") == 0
    assert window.shown[1] == (464, 900, 3) and window.shown[-1] == (700, 700, 3)
    assert saved(out)["anna/0.png"]["keypoints"][0] == pytest.approx((63.66, 63.66), abs=0.05)
    labelling = labelling_of(out, photos)
    for size in ((700, 500), (640, 900), (100, 50)):
        labelling.resize(size)
        assert labelling.view.scale == labelling.view.fit
        assert labelling.image().shape == (max(size[1], 240 + BAR), max(size[0], 320), 3)
        x, y = labelling.view.to_photo(labelling.view.canvas / 2 - 0.5)
        assert (x, y) == pytest.approx((63.5, 63.5))
    labelling.resize((700, 500))
    labelling.mouse(MOVE, 350, 218)
    keys(labelling, "++++")
    scale, middle = labelling.view.scale, labelling.view.to_photo(labelling.view.canvas / 2 - 0.5)
    labelling.resize((720, 520))
    assert labelling.view.scale == scale
    assert labelling.view.to_photo(labelling.view.canvas / 2 - 0.5) == pytest.approx(middle)


def test_closing_the_window_is_like_q(photos, out, monkeypatch, capsys):
    """Where the disk does not take the labels, the window comes back and says so; closed again, it is the end."""
    kinds = []

    def full(descriptor):
        kinds.append("tried")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        Window(monkeypatch, ["x", "close", "x", "close", "close"])
        assert run(*photos, "--out", out, "--no-prediction") == 1
    one_line(capsys, "NOT SAVED", out, "No space left")
    assert len(kinds) >= 3
    Window(monkeypatch, ["x", "close"])
    assert run(*photos, "--out", out, "--no-prediction") == 0 and "anna/0.png" in saved(out)


def test_a_disk_that_stays_full_is_told(photos, out, monkeypatch, capsys):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    Window(monkeypatch, "xqq")
    assert run(*photos, "--out", out, "--no-prediction") == 1
    one_line(capsys, "NOT SAVED", out, "No space left")


@pytest.mark.parametrize("content", [
    b"", b"{", b"[]", b'"handpose.keypoints/1"', b'{"format": "handpose.keypoints/2"}', b'{"images": []}',
    b"\xff\xd8\xff", b"[" * 100_000,
    json.dumps({"format": FORMAT, "order": list(JOINTS), "images": [{"path": "a.png"}]}).encode(),
    json.dumps({"format": FORMAT, "order": list(JOINTS[::-1]), "images": []}).encode(),
])  # fmt: skip
def test_another_file_is_not_overwritten(photos, out, monkeypatch, capsys, content):
    out.write_bytes(content)
    Window(monkeypatch, "nq")
    assert run(*photos, "--out", out, "--no-prediction") == 1
    one_line(capsys, out)
    assert out.read_bytes() == content


def test_bad_arguments_take_one_line(photos, out, tmp_path, monkeypatch, capsys):
    Window(monkeypatch, "q")
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ((photos[0], "--out", tmp_path / "ben"), ["ben"]),
        ((photos[0], "--out", photos[1]), ["1.png", "damaged"]),
        ((photos[0], "--out", photos[1] / "x.json"), ["cannot be written"]),
        ((tmp_path / "empty", "--out", out), ["empty", "no pictures"]),
        ((photos[0], "--out", out, "--max-side", 20), ["20", "480"]),
        (("--out", out), ["--rwth"]),
        (("--rwth", tmp_path, "--out", out, "--frames", -1), ["--frames -1"]),
        (("--rwth", tmp_path / "gone", "--out", out), ["gone", "no such folder"]),
        ((photos[0], "--out", out, "--weights", tmp_path / "w.safetensors"), ["w.safetensors"]),
    ):
        assert run(*arguments) == 1
        one_line(capsys, *words)
    assert not out.exists()


def test_without_a_display(photos, out, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert run(*photos, "--out", out) == 1
    one_line(capsys, "no display")
    monkeypatch.setenv("DISPLAY", ":4711")
    # A display that cannot be reached ends the process that tries it, which is not this one.
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess(a, -6))
    assert run(*photos, "--out", out) == 1
    one_line(capsys, "display", "headless")
    Window(monkeypatch, "q")

    def missing(*arguments):
        raise cv2.error("The function is not implemented.\nRebuild the library with Windows, GTK+ 2.x or Cocoa support")

    monkeypatch.setattr(cv2, "namedWindow", missing)
    assert run(*photos, "--out", out, "--no-prediction") == 1
    one_line(capsys, "headless")
    assert not out.exists()


# The reader


def test_round_trip(photos, out, hands):
    labelling = labelling_of(out, photos)
    for hand in hands:
        for point, visible in zip(hand.keypoints, hand.visible, strict=True):
            if visible:
                click(labelling, point)
            else:
                keys(labelling, "x")
        keys(labelling, "n")
    labels = Labelled(out)
    assert len(labels) == 3
    for sample, hand in zip([labels[i] for i in range(3)], hands, strict=True):
        assert np.array_equal(sample.image, hand.image) and np.array_equal(sample.visible, hand.visible)
        away = np.abs(sample.keypoints - hand.keypoints)[hand.visible]
        assert away.max() <= 0.5 / labelling.view.fit + 1e-3 and sample.keypoints.dtype == np.float32
        assert sample.box == pytest.approx(tight_box(sample.keypoints, sample.visible)) and sample.shape is None
    assert [(labels[i].group, labels[i].id) for i in range(3)] == [
        ("anna", "anna/0.png"), ("ben", "ben/1.png"), ("ben", "ben/2.png")]  # fmt: skip
    assert [len(data.open(f"labelled:{out}", split)) for split in ("train", "val", "all")] == [3, 3, 3]


def test_a_photo_taken_upright_is_labelled_upright(tmp_path, out):
    """A telephone's JPEG, stored lying on its side and turned by its EXIF note."""
    upright = np.zeros((60, 40, 3), np.uint8)
    upright[10:20, 5:15] = 255
    code = cv2.imencode(".jpg", np.rot90(upright), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    note = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (tmp_path / "phone.jpg").write_bytes(code[:2] + b"\xff\xe1" + (len(note) + 2).to_bytes(2, "big") + note + code[2:])
    labelling = labelling_of(out, [tmp_path / "phone.jpg"])
    click(labelling, (9, 14))
    keys(labelling, "q")
    entry = saved(out)["phone.jpg"]
    assert (entry["width"], entry["height"]) == (40, 60)
    x, y = (round(v) for v in entry["keypoints"][0])
    sample = Labelled(out)[0]
    assert sample.image[y, x].min() > 200 and sample.image[40, 30].max() < 50
    assert np.flatnonzero(sample.visible).tolist() == [0] and sample.group == "phone.jpg"


@pytest.fixture
def content(photos, hands):
    return {"format": FORMAT, "order": list(JOINTS), "images": [
        {"path": f"{p.parent.name}/{p.name}", "width": 128, "height": 128,
         "keypoints": [q if j % 5 else None for j, q in enumerate(h.keypoints.astype(float).round(2).tolist())],
         "box": [0, 0, 127, 127], "shape": "a"} for p, h in zip(photos[:2], hands, strict=False)
    ]}  # fmt: skip


def test_errors_name_file_and_entry(out, content, photos):
    def spoilt(change, *words):
        bad = copy.deepcopy(content)
        change(bad["images"][1])
        out.write_text(json.dumps(bad))
        with pytest.raises(DataError) as error:
            Labelled(out)[1]
        assert all(word in str(error.value) for word in (str(out), "images[1]", *words)), error.value

    out.write_text(json.dumps(content))
    assert Labelled(out)[1].shape == "a" and len(read(out)) == 2
    spoilt(lambda e: e.update(path="ben/gone.png"), "ben/gone.png", "no such picture")
    spoilt(lambda e: e.update(path=""), "names no picture")
    spoilt(lambda e: e.update(path=content["images"][0]["path"]), "images[0]", "again")
    spoilt(lambda e: e.pop("path"), "None")
    spoilt(lambda e: e["keypoints"].pop(), "ben/1.png", "20 joints")
    spoilt(lambda e: e["keypoints"].__setitem__(6, [1, float("nan")]), "index PIP", "nan")
    spoilt(lambda e: e["keypoints"].__setitem__(0, [float("inf"), 1]), "wrist", "inf")
    spoilt(lambda e: e["keypoints"].__setitem__(0, [1, 2, 3]), "wrist", "[1, 2, 3]")
    spoilt(lambda e: e["keypoints"].__setitem__(0, ["1", 2]), "wrist", "'1'")
    spoilt(lambda e: e["keypoints"].__setitem__(0, [True, 2]), "wrist", "True")
    spoilt(lambda e: e.update(width=64), "128x128", "64x128")
    spoilt(lambda e: e.update(height=0), "height", "0")
    spoilt(lambda e: e.update(box=[5, 5, 1, 9]), "box", "[5, 5, 1, 9]")
    spoilt(lambda e: e.update(shape=7), "shape", "7")
    photos[1].write_bytes(b"\xff\xd8 half a picture")
    out.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"labels.json, images\[1\].*1\.png.*truncated"):
        Labelled(out)[1]
    with pytest.raises(DataError, match="'test'; choose"):
        Labelled(out, "test")
    with pytest.raises(DataError, match="cannot be read"):
        Labelled(out.parent)
    with pytest.raises(DataError, match="labelled:labels.json"):
        data.open("labelled")
    out.write_text(json.dumps(content | {"images": []}))
    with pytest.raises(DataError, match="no pictures yet"):
        Labelled(out)


def test_a_joint_outside_the_picture_is_not_visible(out, content):
    content["images"][0]["keypoints"][:3] = [[-3, 5], [127.5, -0.5], [128, 60]]
    out.write_text("\ufeff" + json.dumps(content), encoding="utf-8")  # with an editor's byte order mark
    sample = Labelled(out)[0]
    assert sample.visible[:3].tolist() == [False, True, False] and sample.keypoints[0].tolist() == [-3, 5]


def nodes(tree, path=()):
    """Every place in a JSON tree, as a path."""
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from nodes(value, (*path, key))


STRANGE = [
    *(None, True, 0, -1, 7, 128, 1.5, 1e400, -1e308, float("nan"), 10**400, "", "a", "\0", "ben/2.png", "..", "\ud800"),
    *("x" * 5000, [], {}, [1, 2], [1.0, None], [[3, 4]] * 21, [None] * 21, {"path": "anna/0.png"}),
]


def mutated(content, rng):
    """The file's bytes, with other labels, strange values, missing or doubled parts, or a few other bytes."""
    tree = copy.deepcopy(content)
    if rng.random() < 0.3:
        for entry in tree["images"]:
            places = [None, [3, 4], [-1e3, 5], [127.5, -0.5], [1e-9, 127.6]]
            entry["keypoints"][rng.integers(21)] = places[rng.integers(len(places))]
    for _ in range(rng.integers(3)):
        *way, last = list(nodes(tree))[rng.integers(1, sum(1 for _ in nodes(tree)))]
        parent = tree
        for key in way:
            parent = parent[key]
        kind = rng.integers(4)
        if kind == 0:
            del parent[last]
        elif kind == 1 and isinstance(parent, list):
            parent.insert(last, copy.deepcopy(parent[last]))
        else:
            parent[last] = copy.deepcopy(STRANGE[rng.integers(len(STRANGE))])
    code = bytearray(json.dumps(tree).encode())
    kind = rng.integers(8)
    if kind == 0:
        del code[rng.integers(len(code)) :]
    elif kind == 1:
        for _ in range(3):
            code[rng.integers(len(code))] = rng.integers(256)
    return bytes(code)


def test_damaged_files_give_an_error_or_the_right_answer(out, content):
    rng, right, wrong = np.random.default_rng(7), 0, set()
    for trial in range(600):
        data = mutated(content, rng)
        out.write_bytes(data)
        try:
            labels = Labelled(out)
            samples = [labels[i] for i in range(len(labels))]
        except DataError as error:
            assert str(error).startswith(str(out)) and "\n" not in str(error), (trial, data)
            wrong.add(str(error)[len(str(out)) :][:30])
            continue
        right += 1
        entries = json.loads(data)["images"]
        assert len(entries) == len(samples) > 0
        for entry, sample in zip(entries, samples, strict=True):
            assert (out.parent / entry["path"]).is_file() and sample.image.shape == (128, 128, 3)
            for stored, point, visible in zip(entry["keypoints"], sample.keypoints, sample.visible, strict=True):
                inside = stored is not None and all(-0.5 <= v <= 127.5 for v in stored)
                assert bool(visible) == inside
                assert stored is None or point == pytest.approx(stored, abs=1e-4, rel=1e-5)
    assert right > 40 and len(wrong) > 20
