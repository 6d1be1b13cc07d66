"""Middlebury's .flo files: the bytes, OpenCV as an oracle, and damaged files."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from classicvid.flow.files import read_flo, write_flo


@pytest.fixture
def flow(rng):
    return rng.normal(0, 5, (7, 11, 2)).astype(np.float32)


def test_way_there_and_back_loses_nothing(tmp_path, flow):
    flow[0, 0] = 1.6e9, np.nan
    write_flo(tmp_path / "a.flo", flow)
    back = read_flo(str(tmp_path / "a.flo"))
    assert back.dtype == np.float32
    assert back.flags.writeable
    np.testing.assert_array_equal(back, flow)


def test_bytes_are_those_of_the_format(tmp_path):
    write_flo(tmp_path / "a.flo", np.array([[(1, 2), (3, 4), (5, 6)]], np.float32))
    wanted = struct.pack("<fii6f", 202021.25, 3, 1, 1, 2, 3, 4, 5, 6)
    assert (tmp_path / "a.flo").read_bytes() == wanted


def test_opencv_reads_what_we_write_and_we_read_what_it_writes(tmp_path, flow):
    write_flo(tmp_path / "ours.flo", flow)
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "ours.flo")), flow)
    cv2.writeOpticalFlow(str(tmp_path / "theirs.flo"), flow)
    np.testing.assert_array_equal(read_flo(tmp_path / "theirs.flo"), flow)


def test_real_ground_truth_fits_its_frames(shared_data):
    paths = sorted((shared_data / "flow_pairs").rglob("*.flo"))
    assert paths
    for path in paths:
        flow = read_flo(path)
        known = np.abs(flow) < 1e9
        assert known.mean() > 0.8
        assert np.abs(flow[known]).max() < 200


def test_damaged_files_are_named(tmp_path, flow):
    path = tmp_path / "a.flo"
    write_flo(path, flow)
    content = path.read_bytes()
    for cut in (content[:-1], content[:100], content + b"1234"):
        path.write_bytes(cut)
        with pytest.raises(ValueError, match=f"628 bytes long for 11 by 7 pixels, got {len(cut)}"):
            read_flo(path)
    for start in (b"", b"PIEH", b"RIFF" + content[4:]):
        path.write_bytes(start)
        with pytest.raises(ValueError, match=r"a\.flo is not a \.flo file"):
            read_flo(path)


@pytest.mark.parametrize("size", [(0, 4), (-3, 5), (2**31 - 1, -1)])
def test_impossible_sizes_are_named(tmp_path, size):
    (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii", *size))
    with pytest.raises(ValueError, match=r"wide and -?\d+ high"):
        read_flo(tmp_path / "a.flo")


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    (tmp_path / "a.flo").write_bytes(b"PIEH" + struct.pack("<ii", 2**31 - 1, 2**31 - 1))
    with pytest.raises(ValueError, match="cut off or damaged"):
        read_flo(tmp_path / "a.flo")


def test_missing_places_are_named(tmp_path, flow):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.flo is no file"):
        read_flo(tmp_path / "nowhere.flo")
    with pytest.raises(FileNotFoundError, match="is no folder"):
        write_flo(tmp_path / "nowhere" / "a.flo", flow)


def test_wrong_flow_writes_nothing(tmp_path, flow):
    with pytest.raises(ValueError, match=r"flow must be \(H, W, 2\)"):
        write_flo(tmp_path / "a.flo", flow[..., 0])
    assert not (tmp_path / "a.flo").exists()
