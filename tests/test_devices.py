"""What is asked of the processor."""

import torch

from handpose import devices


def test_bfloat16_is_used_where_it_is_measured_to_be_faster(monkeypatch):
    for share, worth in ((0.5, True), (0.79, True), (1.0, False), (12.0, False)):
        monkeypatch.setattr(devices, "bfloat16_share", lambda share=share: share)
        assert devices.half_precision(torch.device("cpu")) is worth
        assert devices.arithmetic(torch.device("cpu")) == ("bfloat16" if worth else "float32")
    assert not devices.half_precision(torch.device("meta"))


def test_the_measurement_is_made_once():
    first = devices.bfloat16_share()
    assert 0 < first < float("inf") and devices.bfloat16_share() == first


def test_the_measurement_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    devices.bfloat16_share.__wrapped__()
    assert torch.get_num_threads() == before
