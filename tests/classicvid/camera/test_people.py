"""Boxes of people as read from files and as masks."""

from __future__ import annotations

import numpy as np
import pytest

from classicvid.camera import read_people
from classicvid.camera.people import mask_people


def test_reads_the_boxes_of_frames(tmp_path):
    path = tmp_path / "people.bb"
    path.write_text("1 10 20.5 30 40 0.9 -1 2 3 4 1e-3\n\n2\n4\t0 0 5 5 1\r\n")
    people = read_people(path, first=1)
    assert sorted(people) == [0, 1, 3]
    np.testing.assert_array_equal(people[0], np.float32([[10, 20.5, 30, 40], [-1, 2, 3, 4]]))
    assert people[1].shape == (0, 4)
    assert {boxes.dtype for boxes in people.values()} == {np.dtype(np.float32)}
    assert sorted(read_people(path)) == [1, 2, 4]
    path.write_text("")
    assert read_people(path) == {}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("0 1 2 3 4 1\n1 1 2 3\n", r"line 2: a box is x1 y1 x2 y2 confidence, got 3 numbers"),
        ("0 1 2 three 4 1\n", r"line 1: a frame's number and numbers are wanted, got '0 1 2 three"),
        ("0.5 1 2 3 4 1\n", r"line 1: a frame's number"),
        ("0 1 2 nan 4 1\n", r"line 1: boxes must be finite"),
        ("0 1 2 1e300 4 1\n", r"line 1: boxes must be finite"),
        ("0\n\n0\n", r"line 3: frame 0 came before"),
        ("-1 1 2 3 4 1\n", r"line 1: frames count from 0, got -1"),
        ("\x00\x81\n", r"line 1: a frame's number"),
    ],
)
def test_refuses_a_damaged_file_of_boxes(tmp_path, text, wanted):
    path = tmp_path / "people.bb"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=wanted) as caught:
        read_people(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_refuses_a_missing_file_of_boxes(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no file; give the path"):
        read_people(tmp_path / "none.bb")


def test_the_mask_covers_pixels_in_boxes():
    boxes = np.array([[1.2, 0.5, 3, 2.9], [-9, 4, 0.9, 99], [7, 7, 2, 2]], np.float32)
    twin = np.ones((6, 8), np.uint8)
    for x1, y1, x2, y2 in boxes:
        for y in range(6):
            for x in range(8):
                if x1 <= x <= x2 and y1 <= y <= y2:
                    twin[y, x] = 0
    np.testing.assert_array_equal(mask_people(boxes, (6, 8)), twin)
