"""Drawing by several processes: the same results in the same order, and errors where they were asked for."""

import functools
import math
import operator
import os

import pytest

from handpose.data import DataError, SyntheticHands, crops, drawing


def test_results_come_in_order():
    assert list(drawing.several(math.sqrt, 7, 3)) == [math.sqrt(i) for i in range(7)]


def test_a_set_drawn_by_several_processes_is_the_same(monkeypatch):
    hands = SyntheticHands(size=48, length=6)
    monkeypatch.setattr(hands.__class__, "cache_key", None)  # nothing is kept on disk
    alone = crops.load_crops("synthetic", hands, 32, progress=False)
    monkeypatch.undo()
    monkeypatch.setattr(crops, "SEVERAL", 2)
    monkeypatch.setattr(drawing, "cores", lambda: 2)
    together = crops.load_crops("synthetic", hands, 32, progress=False)
    assert together.fingerprint() == alone.fingerprint() and together.ids == alone.ids


def test_an_error_is_raised_where_it_was_asked_for():
    results = drawing.several(functools.partial(operator.truediv, 1), 3, 2)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_lost_process_is_told():
    with pytest.raises(DataError, match="a process that drew hands was lost"):
        list(drawing.several(os._exit, 3, 2))


def test_whoever_stops_early_leaves_no_process_behind():
    results = drawing.several(math.sqrt, 10_000_000, 2)
    assert next(results) == 0
    workers = results.gi_frame.f_locals["workers"]
    results.close()
    assert all(worker.poll() is not None for worker in workers)
