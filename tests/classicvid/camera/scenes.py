"""A texture and a homography go in; frames, their flow and the error of an estimate come out."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classicvid.camera import CameraMotion
from classicvid.flow import farneback_flow

SIZE = (144, 192)


MATCHERS = pytest.mark.parametrize("matcher", ["orb", "sift"])


SHIFT = np.array([[1, 0, 2.4], [0, 1, -1.3], [0, 0, 1]])


ZOOM = np.array([[1.02, 0.004, -1.5], [-0.004, 1.02, -1.2], [0, 0, 1]])


TILT = np.array([[1.004, 0.01, -2.25], [-0.008, 0.998, 3.5], [2e-5, -3e-5, 1]])


MOTIONS = pytest.mark.parametrize("truth", [SHIFT, ZOOM, TILT], ids=["shift", "zoom", "tilt"])


def make_texture(seed=3, size=SIZE):
    noise = np.random.default_rng(seed).normal(128, 120, (size[0] + 120, size[1] + 120))
    return cv2.GaussianBlur(noise, (0, 0), 1.6)


def film(texture, truth, size=SIZE):
    """Return two frames: the second shows at ``truth @ (x, y, 1)`` what the first shows at x, y."""
    inner = np.array([[1, 0, 60], [0, 1, 60], [0, 0, 1.0]])
    height, width = size
    first = texture[60 : 60 + height, 60 : 60 + width]
    second = cv2.warpPerspective(
        texture,
        inner @ np.linalg.inv(truth),
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    return tuple(np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in (first, second))


def flow_between(first, second):
    return farneback_flow(first, second, winsize=11, levels=3, poly_n=7, poly_sigma=1.5)


def corner_error(homography, truth, size=SIZE):
    """Return how far, in pixels, the frame's corners land from where they should."""
    height, width = size
    corners = np.array([[[0, 0]], [[width - 1, 0]], [[0, height - 1]], [[width - 1, height - 1]]])
    landed = cv2.perspectiveTransform(corners.astype(np.float64), homography)
    return np.abs(landed - cv2.perspectiveTransform(corners.astype(np.float64), truth)).max()


def estimate(first, second, *, flow="ours", people=(None, None), **settings):
    camera = CameraMotion(**settings)
    assert camera.feed(first, people=people[0]) is None
    if flow is not None:
        flow = flow_between(first, second) if isinstance(flow, str) else flow
    return camera.feed(second, flow, people=people[1]), camera
