"""Videos of every format go in; the frames that OpenCV's reader or arithmetic gives come out."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from classicvid.video import iter_frames, probe, read_frames
from tests.classicvid.video.movies import noise, opencv_frames

LARGE = ("bigbuckbunny.mp4", "cockatoo.mp4", "demo_skeleton.mp4")
PLAIN = (
    "bikes.mp4",
    "bt709_full_range.mp4",
    "carphone_pristine.mp4",
    "demo.mp4",
    "exercise.avi",
    "flipping_a_pancake.mkv",
    "h265_video.mp4",
    "imageio_issue245.gif",
    "nasa_13013.mp4",
    "realshort.mp4",
    "unordered.mov",
    "v_ApplyEyeMakeup_g01_c01.avi",
    "v_BaseballPitch_g01_c01.avi",
    "video_0.mov",
    "video_90.mov",
    "video_180.mov",
    "video_270.mov",
    "yanki.3gp",
    "yanki.avi",
    "yanki.flv",
    "yanki.gif",
    "yanki.mkv",
    "yanki.mov",
    "yanki.mp4",
    "yanki.mpeg",
    "yanki.mpg",
    "yanki.ogv",
    "yanki.swf",
    "yanki.webm",
)


def bgr0(frames):
    """One packed plane a frame, for ``encode``."""
    return [[np.dstack([frame[..., ::-1], 0 * frame[..., :1]])] for frame in frames]


def encode(path, planes, *, pixel_format, codec="ffv1", times=None, matrix=None, tags=()):
    """Write the planes of each frame losslessly with PyAV, without the code under test."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = planes[0][0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in dict(tags).items():
            setattr(stream.codec_context, name, value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        for index, frame_planes in enumerate(planes):
            frame = av.VideoFrame(stream.width, stream.height, pixel_format)
            for plane, values in zip(frame.planes, frame_planes, strict=True):
                rows = np.zeros((plane.height, plane.line_size), np.uint8)
                packed = np.ascontiguousarray(values).view(np.uint8).reshape(plane.height, -1)
                rows[:, : packed.shape[1]] = packed
                plane.update(rows.tobytes())
            frame.pts = 40 * index if times is None else times[index]
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def assert_same_as_opencv(path):
    with iter_frames(path) as stream:
        pairs = zip(stream, opencv_frames(path), strict=True)
        assert max(cv2.absdiff(frame, expected).max() for frame, expected in pairs) <= 2
        assert stream.damaged == stream.concealed == 0


@pytest.mark.parametrize("name", PLAIN)
def test_every_frame_is_opencvs(shared_data, name):
    assert_same_as_opencv(shared_data / "corpus" / "good" / name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_every_frame_of_a_large_video_is_opencvs(shared_data, name):
    assert_same_as_opencv(shared_data / "corpus" / "good" / name)


def test_lists_of_real_videos_are_complete(shared_data):
    ten_bits_and_av1 = {"h264_10bits.mp4", "h265_10bits.mp4", "av1_video.mkv"}
    present = {path.name for path in (shared_data / "corpus" / "good").iterdir()}
    assert present == {*PLAIN, *LARGE, *ten_bits_and_av1}


def test_av1_yields_all_frames_of_its_five_seconds(shared_data):
    path = shared_data / "corpus" / "good" / "av1_video.mkv"
    with iter_frames(path, size=(36, 64)) as stream:
        assert sum(1 for _ in stream) == 5 * 25
    assert stream.info.codec == "av1"


@pytest.mark.parametrize("name", ["h264_10bits.mp4", "h265_10bits.mp4"])
def test_real_ten_bit_video_is_near_opencvs(shared_data, name):
    path = shared_data / "corpus" / "good" / name
    frames, expected = read_frames(path), np.array(list(opencv_frames(path)))
    assert frames.shape == expected.shape
    # OpenCV interpolates the chroma with another kernel: luma agrees to the rounding.
    gray, expected_gray = (
        [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(int) for frame in movie]
        for movie in (frames, expected)
    )
    assert np.abs(np.array(gray) - expected_gray).mean() < 1.0
    assert probe(path).pixel_format == "yuv420p10le"


@pytest.mark.parametrize(
    ("name", "rotation", "size"),
    [
        ("video_0.mov", 0, (320, 568)),
        ("video_90.mov", 90, (568, 320)),
        ("video_180.mov", 180, (320, 568)),
        ("video_270.mov", 270, (568, 320)),
    ],
)
def test_rotation_of_real_phone_videos(shared_data, name, rotation, size):
    info = probe(shared_data / "corpus" / "good" / name)
    assert (info.rotation, info.mirrored, (info.height, info.width)) == (rotation, False, size)


@pytest.mark.parametrize(
    ("a", "b", "c", "d", "turned", "rotation", "mirrored"),
    [
        (1, 0, 0, 1, lambda image: image, 0, False),
        (0, 1, -1, 0, lambda image: np.rot90(image, -1), 90, False),
        (-1, 0, 0, -1, lambda image: np.rot90(image, 2), 180, False),
        (0, -1, 1, 0, np.rot90, 270, False),
        (-1, 0, 0, 1, lambda image: image[:, ::-1], 0, True),
        (0, -1, -1, 0, lambda image: np.rot90(image)[:, ::-1], 270, True),
        (1, 0, 0, -1, lambda image: image[::-1], 180, True),
        (0, 1, 1, 0, lambda image: image.swapaxes(0, 1), 90, True),
    ],
)
def test_display_matrix(tmp_path, rng, a, b, c, d, turned, rotation, mirrored):
    stored = noise(rng, 2, 6, 10)
    one = 1 << 16
    path = encode(
        tmp_path / "turned.mov",
        [[frame] for frame in stored],
        codec="png",
        pixel_format="rgb24",
        matrix=[a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30],
    )
    frames = read_frames(path)
    np.testing.assert_array_equal(frames, [turned(frame) for frame in stored])
    info = probe(path)
    assert (info.rotation, info.mirrored) == (rotation, mirrored)
    assert (info.height, info.width) == frames.shape[1:3]
    assert read_frames(path, size=(7, 21)).shape == (2, 7, 21, 3)
    assert read_frames(path, short_side=3).shape[1:3] == tuple(n // 2 for n in frames.shape[1:3])


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(
    ("colorspace", "red", "blue"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114), (2, 0.299, 0.114)]
)
def test_colour_follows_the_matrix_and_range_of_the_file(
    tmp_path, rng, bits, full_range, colorspace, red, blue
):
    luma = rng.integers(60, 190, (16, 16))
    chroma_blue, chroma_red = rng.integers(90, 166, (2, 16, 16))
    dtype, pixel_format = (np.uint8, "yuv444p") if bits == 8 else (np.uint16, "yuv444p10le")
    planes = [[(p << (bits - 8)).astype(dtype) for p in (luma, chroma_blue, chroma_red)]]
    path = encode(
        tmp_path / "colour.mkv",
        planes,
        pixel_format=pixel_format,
        tags={"colorspace": colorspace, "color_range": 2 if full_range else 1},
    )
    # ITU-R BT.601 and BT.709: Y = Kr R + Kg G + Kb B, with 219 and 224 steps in limited range.
    y = luma.astype(float) if full_range else (luma - 16) * 255 / 219
    scale = 1.0 if full_range else 255 / 224
    r = y + 2 * (1 - red) * (chroma_red - 128) * scale
    b = y + 2 * (1 - blue) * (chroma_blue - 128) * scale
    g = (y - red * r - blue * b) / (1 - red - blue)
    expected = np.clip(np.dstack([r, g, b]), 0, 255)
    assert np.abs(read_frames(path)[0] - expected).max() <= 3


def test_alpha_is_dropped(tmp_path, rng):
    opaque = noise(rng, 3, 9, 14)
    alpha = rng.integers(0, 256, (3, 9, 14, 1), dtype=np.uint8)
    planes = [[np.dstack([f[..., ::-1], a])] for f, a in zip(opaque, alpha, strict=True)]
    path = encode(tmp_path / "alpha.mkv", planes, pixel_format="bgra")
    assert probe(path).pixel_format == "bgra"
    np.testing.assert_array_equal(read_frames(path), opaque)


def test_still_picture_is_a_video_of_one_frame(tmp_path, rng):
    image = noise(rng, 1, 11, 7)[0]
    cv2.imwrite(str(tmp_path / "still.png"), image[..., ::-1])
    np.testing.assert_array_equal(read_frames(tmp_path / "still.png"), image[None])


def test_variable_frame_rate_gives_each_frame_once(tmp_path, rng):
    frames = noise(rng, 6, 8, 8)
    path = encode(
        tmp_path / "vfr.mkv", bgr0(frames), pixel_format="bgr0", times=[0, 10, 500, 510, 515, 4000]
    )
    np.testing.assert_array_equal(read_frames(path), frames)
