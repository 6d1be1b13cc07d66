"""The gray frames of a video go in, one by one; the trajectories that end in each come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from classicvid import checks
from classicvid.camera import CameraMotion, warp_to_previous
from classicvid.flow import lucas_kanade_flow
from classicvid.flow.farneback.levels import make_rows
from classicvid.kernels import trajectories as kernels
from classicvid.keypoints import grid_points
from classicvid.trajectories.scales import STEP, ScaleFlow
from classicvid.trajectories.table import Trajectories, finish
from classicvid.trajectories.tracks import PARTS, Tracks

# With Lucas-Kanade: a point that is followed there and back must return within so many pixels.
FORWARD_BACKWARD = 1.0

_Flows = list[NDArray[np.float32]]


@dataclass
class _Scale:
    """One size of the video: its last frame, its tracks, and room to describe them in."""

    factor: float
    shape: tuple[int, int]
    gray: NDArray[np.uint8]
    tracks: Tracks
    room: tuple[NDArray[np.float32], ...]


class DenseTrajectories:
    """Points on a grid are followed through a video, and what moves around them is described.

    Parameters
    ----------
    camera : CameraMotion, optional
        Takes the camera's motion out of the flow that is described: improved trajectories. It
        is fed and reset by this object.
    tracking : {"flow", "lucas-kanade"}
        Points follow the median-filtered dense flow, or are each sought by Lucas-Kanade, there and
        back again.
    length : int, a multiple of 3
        L, steps of a trajectory, in frames.
    stride : int, at least 1
        Side in pixels of the grid's cells, on each scale.
    scales : int, at least 1
        Sizes at most, each 1/sqrt(2) of the one before; those with a side below 32 pixels are left
        out.
    patch : int, even, at least 2
        Side in pixels of the square around a point that is described, on each scale.
    quality : float, at least 0
        Share of the strongest corner response below which no point is followed.
    min_flow : float, at least 0
        Pixels per frame; a flow vector of this length or less is at rest.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.

    Notes
    -----
    H. Wang, A. Kläser, C. Schmid, C.-L. Liu, "Dense trajectories and motion boundary descriptors
    for action recognition", IJCV 2013; H. Wang, C. Schmid, "Action recognition with improved
    trajectories", ICCV 2013. The rules and constants are those of the authors' programs, which
    depart from the papers in the filter of the flow (5 x 5) and in the normalisation (L1 and square
    root, a frame at a time). Memory is bounded by the size of a frame and by L, whatever the length
    of the video. One object serves one thread.

    Examples
    --------
    >>> extractor = DenseTrajectories()
    >>> finished = Trajectories.concatenate([extractor.feed(to_gray(frame)) for frame in frames])
    """

    def __init__(
        self,
        *,
        camera: CameraMotion | None = None,
        tracking: Literal["flow", "lucas-kanade"] = "flow",
        length: int = 15,
        stride: int = 5,
        scales: int = 8,
        patch: int = 32,
        quality: float = 0.001,
        min_flow: float = 0.4,
    ) -> None:
        if camera is not None and not isinstance(camera, CameraMotion):
            message = f"camera must be a CameraMotion or None, got {type(camera).__name__}"
            raise TypeError(message)
        self._camera = camera
        self._tracking = checks.check_choice("tracking", tracking, ("flow", "lucas-kanade"))
        self._length = checks.check_whole("length", length, low=PARTS)
        self._stride = checks.check_whole("stride", stride, low=1)
        self._count = checks.check_whole("scales", scales, low=1)
        self._patch = checks.check_whole("patch", patch, low=2)
        for name, value, divisor in (("length", length, PARTS), ("patch", patch, 2)):
            if value % divisor:
                message = f"{name} must be a multiple of {divisor}, got {value}"
                raise ValueError(message)
        self._quality = checks.check_number("quality", quality, low=0)
        self._min_flow = np.float32(checks.check_number("min_flow", min_flow, low=0))
        self.reset()

    @property
    def living(self) -> int:
        """Number of points that are being followed."""
        return sum(len(scale.tracks.heads) for scale in self._scales)

    def reset(self) -> None:
        """Forget all tracks: the next frame begins a new video, of any size."""
        self._scales: list[_Scale] = []
        self._frame = -1
        if self._camera is not None:
            self._camera.reset()

    def feed(self, frame: ArrayLike, *, people: ArrayLike | None = None) -> Trajectories:
        """Take the next frame of the video.

        Parameters
        ----------
        frame : array, shape (H, W), uint8
            Gray frame, of the same shape as the one before.
        people : array, shape (B, 4), float32, optional
            Boxes x1, y1, x2, y2 in pixels of what moves by itself in this frame: no evidence of the
            camera's motion is sought there.

        Returns
        -------
        finished : Trajectories
            Those that end in this frame after L steps and are neither static, nor erratic, nor
            jump; scale by scale, the finest first, and each in the order of birth. None end in
            the first L frames.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, or the frame differs in shape from the one before.
        """
        gray = self._check(frame)
        ended = []
        if self._frame < 0:
            self._begin(gray, people)
        else:
            flows, own = self._compute_flow(gray, people)
            shrunk = self._shrink(gray)
            for scale, flow, own_flow, following in zip(
                self._scales, flows, own, shrunk, strict=True
            ):
                ended.append(self._advance(scale, flow, own_flow, following))
                scale.gray = following
        for scale in self._scales:
            self._sample(scale)
        self._frame += 1
        return self._finish(ended)

    def _check(self, frame: ArrayLike) -> NDArray[np.uint8]:
        gray = checks.check_gray("frame", frame)
        if gray.dtype != np.uint8:
            message = f"frame must be uint8, got {gray.dtype}; round it"
            raise TypeError(message)
        if self._scales and gray.shape != self._scales[0].shape:
            message = (
                f"frame must have the shape of the one before, {self._scales[0].shape}, "
                f"got {gray.shape}; call reset()"
            )
            raise ValueError(message)
        return gray.copy()  # it is needed again with the next frame

    def _begin(self, gray: NDArray[np.uint8], people: ArrayLike | None) -> None:
        self._flow = ScaleFlow(gray.shape, scales=self._count)
        self._flow.feed(gray)
        if self._camera is not None:
            self._camera.feed(gray, people=people)
        # The smaller scales are described in the memory of the largest, which the cache holds.
        memory = [make_rows(int(np.prod(sizes))) for sizes in self._rooms(gray.shape)]
        for i, (shape, image) in enumerate(zip(self._flow.shapes, self._shrink(gray), strict=True)):
            room = tuple(
                part[: np.prod(sizes)].reshape(sizes)
                for part, sizes in zip(memory, self._rooms(shape), strict=True)
            )
            self._scales.append(_Scale(STEP**i, shape, image, Tracks(self._length), room))

    def _rooms(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
        return kernels.rooms(shape[1], self._patch)

    def _shrink(self, gray: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Return the frame at all sizes, each made of the one before."""
        images = [gray]
        for height, width in self._flow.shapes[1:]:
            smaller = cv2.resize(images[-1], (width, height), interpolation=cv2.INTER_LINEAR)
            images.append(np.asarray(smaller, np.uint8))
        return images

    def _compute_flow(
        self, gray: NDArray[np.uint8], people: ArrayLike | None
    ) -> tuple[_Flows, _Flows]:
        """Return the flow of every scale, and the flow without the camera's motion."""
        self._flow.feed(gray)
        flows = self._flow.flow()
        if self._camera is None:
            return flows, flows
        height, width = gray.shape
        homography = self._camera.feed(gray, flows[0][:height, :width], people=people)
        assert homography is not None  # it is of the first frame only
        before = self._scales[0].gray
        return flows, self._flow.flow_to(warp_to_previous(before, gray, homography))

    def _advance(
        self,
        scale: _Scale,
        flow: NDArray[np.float32],
        own_flow: NDArray[np.float32],
        following: NDArray[np.uint8],
    ) -> tuple[NDArray[np.float32], ...]:
        """Describe and move the tracks of a scale; return those that end."""
        tracks = scale.tracks
        tracks.describe(scale.gray, own_flow, self._min_flow, self._patch, scale.room)
        moves = np.empty_like(tracks.heads)
        if self._tracking == "flow":
            kernels.drift(flow, scale.shape, tracks.heads, moves)
        else:
            moves[...] = _seek(scale.gray, following, tracks.heads)
        steps = moves
        if own_flow is not flow:
            steps = np.empty_like(moves)
            kernels.drift(own_flow, scale.shape, tracks.heads, steps)
        paths, steps, tubes = tracks.extend(moves, steps, scale.shape)
        return np.full(len(paths), scale.factor, np.float32), paths, steps, tubes

    def _sample(self, scale: _Scale) -> None:
        heads = scale.tracks.heads
        points = grid_points(
            scale.gray, spacing=self._stride, quality=self._quality, occupied=heads
        )
        scale.tracks.add(points)

    def _finish(self, ended: list[tuple[NDArray[np.float32], ...]]) -> Trajectories:
        length, tube = self._length, (PARTS, kernels.TUBE)
        shapes = (0,), (0, length + 1, 2), (0, length, 2), (0, *tube)
        none = tuple(np.zeros(shape, np.float32) for shape in shapes)
        columns = [np.concatenate(column) for column in zip(none, *ended, strict=True)]
        return finish(self._frame, *columns, stabilised=self._camera is not None)


def _seek(
    before: NDArray[np.uint8], after: NDArray[np.uint8], points: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the displacements (N, 2) of points by Lucas-Kanade; NaN where one is lost."""
    if not len(points):
        return points
    moved, found, _ = lucas_kanade_flow(before, after, points)
    back, returned, _ = lucas_kanade_flow(after, before, moved)
    near = np.hypot(*(back - points).T) <= FORWARD_BACKWARD
    lost = ~(found.astype(bool) & returned.astype(bool) & near)
    moves = moved - points
    moves[lost] = np.nan
    return moves
