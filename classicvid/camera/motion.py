"""The gray frames of a video go in, one by one; how the camera moved to each comes out."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid import checks
from classicvid.camera.homography import fit_homography
from classicvid.camera.matching import (
    MATCHERS,
    Described,
    create_detector,
    describe,
    match_nearby,
    refine_pairs,
)
from classicvid.camera.people import check_people, mask_people
from classicvid.camera.warp import check_gray_bytes
from classicvid.keypoints import good_features


class CameraMotion:
    """Estimate from frame to frame the homography by which the background moves.

    Parameters
    ----------
    matcher : "orb" or "sift"
        Detector and descriptor of the key points that are matched.
    window : float, above 0
        Matched key points are nearer to each other than so many pixels in x and in y.
    min_matches, min_inliers : int, at least 4
        A homography is accepted if there are more matches, and more of them agree with it.
    max_error : float, above 0
        A match agrees where the homography errs by at most so many pixels.
    max_corners, quality, min_distance
        Of the corners that are matched by flow, as in `good_features`.

    Attributes
    ----------
    matches : int
        Matches between the last two frames.
    inliers : int
        Those of them that agree with the homography.
    accepted : bool
        Whether that is what `feed` returned, and not the identity.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.

    Notes
    -----
    H. Wang, C. Schmid, "Action recognition with improved trajectories", ICCV 2013: matches by flow
    first, then those of key points, then RANSAC with OpenCV's fixed seed. As theirs, matches are
    neither tested by a ratio nor in both directions. The authors' SURF is replaced by SIFT, the
    nearer to it, or by ORB on one scale, several times as fast; ORB's whole pixels are refined by
    Lucas-Kanade. A corner is left out where a box of either frame covers it; the authors look at
    the current frame's boxes alone. An object serves one thread at a time.
    """

    def __init__(
        self,
        *,
        matcher: Literal["orb", "sift"] = "orb",
        window: float = 25,
        min_matches: int = 50,
        min_inliers: int = 25,
        max_error: float = 1.0,
        max_corners: int = 1000,
        quality: float = 0.001,
        min_distance: float = 3,
    ) -> None:
        self._matcher = checks.check_choice("matcher", matcher, MATCHERS)
        self._detector = create_detector(self._matcher)
        self._window = checks.check_number("window", window, low=0, exclusive=True)
        # A homography is determined by four pairs; agreement begins with the fifth.
        self._min_matches = checks.check_whole("min_matches", min_matches, low=4)
        self._min_inliers = checks.check_whole("min_inliers", min_inliers, low=4)
        self._max_error = checks.check_number("max_error", max_error, low=0, exclusive=True)
        self._max_corners = checks.check_whole("max_corners", max_corners, low=1)
        self._quality = checks.check_number("quality", quality, low=0, exclusive=True)
        self._min_distance = checks.check_number("min_distance", min_distance, low=0)
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: the next one begins a video."""
        self._frame: NDArray[np.uint8] | None = None
        self._corners = np.zeros((0, 2), np.float32)
        self._described = Described(np.zeros((0, 2), np.float32), np.zeros((0, 4), np.uint64))
        self.matches, self.inliers, self.accepted = 0, 0, False

    def feed(
        self,
        gray: NDArray[np.uint8],
        flow: NDArray[np.floating] | None = None,
        *,
        people: ArrayLike | None = None,
    ) -> NDArray[np.float64] | None:
        """Take the next frame of the video and return how the camera moved to it.

        Parameters
        ----------
        gray : array, shape (H, W), uint8
            Frame, of the shape of those before.
        flow : array, shape (H, W, 2), float32, optional
            Motion (dx, dy) in pixels from the frame before to this one; without it, key points
            alone are matched.
        people : array, shape (B, 4), optional
            Boxes (x1, y1, x2, y2) in pixels of this frame, borders included, in which nothing is
            matched, as `read_people` returns them.

        Returns
        -------
        homography : array, shape (3, 3), float64, or None
            From pixels (x, y, 1) of the frame before to those of this one, up to a factor; the
            identity where none is accepted; None for the first frame.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.
        """
        frame = check_gray_bytes("gray", gray)
        last = self._frame
        if last is not None and last.shape != frame.shape:
            message = (
                f"gray must be {last.shape} as the frames before, got {frame.shape}; "
                "call reset() between two videos"
            )
            raise ValueError(message)
        motion = None if flow is None else checks.check_flow("flow", flow, shape=frame.shape)
        boxes = check_people(() if people is None else people)
        mask = mask_people(boxes, frame.shape) if len(boxes) else None
        described = describe(frame, self._detector, mask)
        homography = None
        if last is not None:
            before, after = match_nearby(self._described, described, self._window)
            if self._matcher == "orb":
                after = refine_pairs(last, frame, before, after)
            if motion is not None:
                corners, moved = self._follow_corners(motion, mask)
                before, after = np.concatenate([corners, before]), np.concatenate([moved, after])
            homography = self._estimate(before, after)
        self._corners = good_features(
            frame,
            max_corners=self._max_corners,
            quality=self._quality,
            min_distance=self._min_distance,
            mask=mask,
        )
        self._frame, self._described = frame.copy(), described
        return homography

    def _follow_corners(
        self, flow: NDArray[np.float32], mask: NDArray[np.uint8] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the corners of the frame before, shape (M, 2), and where the flow leads them."""
        corners = self._corners
        columns, rows = corners.astype(np.intp).T
        if mask is not None:
            allowed = mask[rows, columns] != 0
            corners, columns, rows = corners[allowed], columns[allowed], rows[allowed]
        moved = corners + flow[rows, columns]
        finite = np.isfinite(moved).all(axis=1)
        return corners[finite], moved[finite]

    def _estimate(
        self, before: NDArray[np.float32], after: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        self.matches, self.inliers, self.accepted = len(before), 0, False
        if self.matches <= self._min_matches:
            return np.eye(3)
        homography, self.inliers = fit_homography(before, after, max_error=self._max_error)
        if homography is None:
            return np.eye(3)
        self.accepted = self.inliers > self._min_inliers
        return homography if self.accepted else np.eye(3)
