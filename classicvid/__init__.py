"""Key points, optical flow, features and metrics of videos: numpy arrays in, numpy arrays out.

Conventions of data, everywhere:

- frames ``(T, H, W, 3)`` uint8 RGB; gray ``(H, W)`` uint8 or float32 in 0..255.
- flow ``(H, W, 2)`` float32: ``[..., 0]`` is dx to the right, ``[..., 1]`` is dy downwards, pixels
  per frame step; ``next(x + dx, y + dy) = this(x, y)``.
- points ``(N, 2)`` as (x, y); pixel centres lie at integers.
- clips ``(B, C, T, H, W)`` float32, normalised.
- Frame ranges are half open. Times in seconds end in ``_seconds``. Randomness is an argument.

T time, H rows, W columns, C channels, N points or videos, M clips, D descriptor size, K classes,
B batch.
"""

from __future__ import annotations

from classicvid.camera import CameraMotion, read_people, warp_to_previous
from classicvid.classifier import HistogramClassifier
from classicvid.descriptors import describe_frames, video_histograms
from classicvid.flow import (
    FarnebackFlow,
    LucasKanadeTracker,
    TrackedPoints,
    angular_error,
    colour_wheel,
    dequantise_flow,
    end_point_error,
    farneback_flow,
    flow_to_colour,
    lucas_kanade_flow,
    lucas_kanade_grid_flow,
    quantise_flow,
    read_flo,
    write_flo,
)
from classicvid.image import (
    image_gradients,
    image_pyramid,
    median_filter_flow,
    resize,
    to_gray,
    warp_image,
)
from classicvid.interest_points import (
    SpaceTimePoints,
    detect_cuboids,
    detect_stip,
    iter_cuboids,
    iter_stip,
    join_points,
)
from classicvid.keypoints import (
    corner_response,
    difference_of_gaussian_features,
    fast_features,
    good_features,
    grid_points,
)
from classicvid.metrics import Scores, hit_at_k, label_ranks, paired_difference, wilson_interval
from classicvid.model_choice import Choice, choose_model
from classicvid.score_fusion import ScoreFusion
from classicvid.synthetic import (
    APPEARANCE_CLASSES,
    MOTION_CLASSES,
    Movie,
    random_texture,
    render_appearance,
    render_motion,
)
from classicvid.trajectories import DenseTrajectories, Trajectories
from classicvid.video import (
    FrameStream,
    VideoInfo,
    iter_frames,
    probe,
    read_frames,
    write_video,
)

# In the order of the arrow: video, image, key points, flow, trajectories, descriptors, classifier,
# metrics.
__all__ = [  # noqa: RUF022
    "FrameStream",
    "VideoInfo",
    "iter_frames",
    "probe",
    "read_frames",
    "write_video",
    "image_gradients",
    "image_pyramid",
    "median_filter_flow",
    "resize",
    "to_gray",
    "warp_image",
    "corner_response",
    "difference_of_gaussian_features",
    "fast_features",
    "good_features",
    "grid_points",
    "FarnebackFlow",
    "LucasKanadeTracker",
    "TrackedPoints",
    "angular_error",
    "colour_wheel",
    "dequantise_flow",
    "end_point_error",
    "farneback_flow",
    "flow_to_colour",
    "lucas_kanade_flow",
    "lucas_kanade_grid_flow",
    "quantise_flow",
    "read_flo",
    "write_flo",
    "CameraMotion",
    "read_people",
    "warp_to_previous",
    "DenseTrajectories",
    "Trajectories",
    "describe_frames",
    "video_histograms",
    "SpaceTimePoints",
    "detect_cuboids",
    "detect_stip",
    "iter_cuboids",
    "iter_stip",
    "join_points",
    "HistogramClassifier",
    "Choice",
    "choose_model",
    "Scores",
    "ScoreFusion",
    "hit_at_k",
    "label_ranks",
    "paired_difference",
    "wilson_interval",
    "APPEARANCE_CLASSES",
    "MOTION_CLASSES",
    "Movie",
    "random_texture",
    "render_appearance",
    "render_motion",
]
