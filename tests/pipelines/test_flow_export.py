"""The export of flow: what lies in its folders, what it skips, and what a fault leaves behind."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from classicvid.flow import farneback_flow
from classicvid.flow.images import dequantise_flow, quantise_flow
from classicvid.image import to_gray
from classicvid.synthetic import random_texture
from classicvid.video import iter_frames, write_video
from pipelines import flow_export
from pipelines.recipes import FlowExportRecipe, FlowRecipe

SERIAL = FlowExportRecipe(backend="serial")


def film(seed: int, path: list[tuple[int, int]], height: int = 40, width: int = 56) -> np.ndarray:
    """Film a texture whose content lies (x, y) pixels to the right and down, one place a frame."""
    canvas = random_texture(np.random.default_rng(seed)).astype(np.uint8)
    views = [canvas[60 - y : 60 - y + height, 60 - x : 60 - x + width] for x, y in path]
    return np.stack(views)


@pytest.fixture(scope="module")
def movies() -> dict[str, np.ndarray]:
    drift = [(2 * step, -step) for step in range(5)]
    return {
        "run/a.mkv": film(1, drift),
        "run/b.mkv": film(2, [(0, 0), (0, 0), (3, 0), (6, 0)]),
        "walk/a.mkv": film(3, drift[:1]),
    }


@pytest.fixture
def source(tmp_path, movies) -> Path:
    root = tmp_path / "videos"
    for name, frames in movies.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(root / name, frames, codec="ffv1")
    return root


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "out"


def export(source, out, recipe=SERIAL):
    return flow_export.run(source, out, recipe, progress=False)


def contents(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def times(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*")}


def failures_of(out: Path) -> list[list[str]]:
    with (out / "failures.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_a_folder_holds_n_images_and_n_minus_1_pairs(source, out):
    summary = export(source, out)
    wanted = set()
    for name, count in (("run/a", 5), ("run/b", 4), ("walk/a", 1)):
        wanted |= {f"{name}/img_{i:05d}.jpg" for i in range(1, count + 1)}
        wanted |= {f"{name}/flow_{axis}_{i:05d}.jpg" for i in range(1, count) for axis in "xy"}
        wanted |= {f"{name}/export.json"}
    assert set(contents(out)) == wanted
    assert (summary.exported, summary.skipped, summary.failures) == (3, 0, ())
    assert (summary.frames, summary.pairs, summary.damaged) == (10, 7, ())
    assert "3 videos exported" in summary.text()
    assert "-20 to 20 px" in summary.text()


def test_the_description_says_what_was_made(source, out):
    export(source, out)
    description = json.loads((out / "run/b/export.json").read_text())
    settings = description.pop("settings")
    assert description == {
        "source": "b.mkv",
        "source_bytes": (source / "run/b.mkv").stat().st_size,
        "frames": 4,
        "height": 40,
        "width": 56,
        "fps": 25.0,
        "damaged_packets": 0,
        "concealed_frames": 0,
    }
    assert settings["bound"] == 20.0
    assert settings["winsize"] == 15
    assert not settings.keys() & {"workers", "backend", "overwrite"}


def test_files_are_what_the_parts_make_of_the_frames(source, out, movies):
    recipe = FlowExportRecipe(
        bound=4.0, quality=80, flow=FlowRecipe(winsize=9, levels=1), backend="serial"
    )
    export(source, out, recipe)
    frames = movies["run/a.mkv"]
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
    for i, frame in enumerate(frames, 1):
        wanted = cv2.imencode(".jpg", frame[..., ::-1].copy(), quality)[1].tobytes()
        assert (out / f"run/a/img_{i:05d}.jpg").read_bytes() == wanted
    for i in range(1, len(frames)):
        flow = farneback_flow(to_gray(frames[i - 1]), to_gray(frames[i]), winsize=9, levels=1)
        levels = quantise_flow(flow, bound=4.0)
        for axis, name in enumerate("xy"):
            plane = np.ascontiguousarray(levels[..., axis])
            wanted = cv2.imencode(".jpg", plane, quality)[1].tobytes()
            assert (out / f"run/a/flow_{name}_{i:05d}.jpg").read_bytes() == wanted


def test_pair_i_leads_from_image_i_to_image_i_plus_1(source, out):
    export(source, out)
    moved = [read_flow(out / "run/b", i) for i in (1, 2, 3)]
    np.testing.assert_allclose(moved, [(0, 0), (3, 0), (3, 0)], atol=0.35)
    steps = [read_flow(out / "run/a", i) for i in (1, 2, 3, 4)]
    np.testing.assert_allclose(steps, [(2, -1)] * 4, atol=0.35)


def read_flow(folder: Path, i: int) -> np.ndarray:
    """Return the median (dx, dy) away from the borders, in pixels."""
    planes = [cv2.imread(str(folder / f"flow_{axis}_{i:05d}.jpg"), 0) for axis in "xy"]
    flow = dequantise_flow(np.stack(planes, axis=-1))
    return np.median(flow[8:-8, 8:-8], axis=(0, 1))


def test_frames_are_resized_before_the_flow(source, out):
    export(source, out, FlowExportRecipe(short_side=80, backend="serial"))
    assert cv2.imread(str(out / "run/a/img_00001.jpg")).shape == (80, 112, 3)
    assert cv2.imread(str(out / "run/a/flow_x_00001.jpg"), -1).shape == (80, 112)
    np.testing.assert_allclose(read_flow(out / "run/a", 2), (4, -2), atol=0.5)


def test_a_second_run_does_nothing_new(source, out):
    export(source, out)
    before = times(out)
    summary = export(source, out)
    assert (summary.exported, summary.skipped, summary.frames) == (0, 3, 10)
    assert times(out) == before


def test_a_broken_video_is_listed_and_the_others_go_on(source, out):
    (source / "run/aa.mp4").write_bytes(b"no video, however it is called")
    (source / "walk/empty.avi").write_bytes(b"")
    summary = export(source, out)
    assert (summary.exported, summary.frames) == (3, 10)
    header, *rows = failures_of(out)
    assert header == ["path", "reason"]
    assert [row[0] for row in rows] == [
        str(source / "run/aa.mp4"),
        str(source / "walk/empty.avi"),
    ]
    assert rows[0][1].startswith("cannot be read as a video")
    assert rows[1][1].startswith("is empty")
    assert summary.failures == tuple(map(tuple, rows))
    assert not (out / "run/aa").exists()
    before = contents(out)
    assert export(source, out).skipped == 3
    assert contents(out) == before


def test_the_list_of_failures_goes_with_the_failures(source, out, movies):
    (source / "run/aa.mkv").write_bytes(b"cut short")
    export(source, out)
    assert len(failures_of(out)) == 2
    write_video(source / "run/aa.mkv", movies["run/a.mkv"], codec="ffv1")
    summary = export(source, out)
    assert (summary.exported, summary.skipped, summary.failures) == (1, 3, ())
    assert not (out / "failures.csv").exists()


def test_a_fault_in_the_middle_leaves_nothing_and_the_next_run_goes_on(source, out, monkeypatch):
    write_jpeg = flow_export._write_jpeg

    def full_disk(path, image, quality):
        if path.name == "flow_y_00002.jpg" and ".b" in path.parent.name:
            raise OSError(28, "No space left on device", path.name)
        write_jpeg(path, image, quality)

    monkeypatch.setattr(flow_export, "_write_jpeg", full_disk)
    summary = export(source, out)
    assert summary.exported == 2
    assert "No space left on device" in summary.failures[0][1]
    assert sorted(path.name for path in (out / "run").iterdir()) == ["a"]
    monkeypatch.undo()
    before = times(out / "run/a")
    summary = export(source, out)
    assert (summary.exported, summary.skipped, summary.failures) == (1, 2, ())
    assert times(out / "run/a") == before


def test_a_killed_worker_leaves_nothing_behind(source, out, monkeypatch):
    """What a worker that was killed half-way leaves is told from what a living process writes."""
    dead, living = "999999999", str(os.getppid())
    (source / "run/bad.mkv").write_bytes(b"no video")
    for name, process in (("bad", dead), ("b", dead), ("bad", living)):
        part = out / f"run/.{name}.part-{process}-0123abcd"
        part.mkdir(parents=True)
        (part / "img_00001.jpg").touch()
    export(source, out)
    hidden = [path.name for path in (out / "run").glob(".*")]
    assert hidden == [f".bad.part-{living}-0123abcd"]


def test_other_settings_are_refused_and_nothing_is_touched(source, out):
    export(source / "run", out)
    before = times(out)
    for other, change in (
        (FlowExportRecipe(bound=15.0, backend="serial"), "bound: 20.0 then, 15.0 now"),
        (FlowExportRecipe(flow=FlowRecipe(poly_n=7)), "poly_n: 5 then, 7 now"),
    ):
        with pytest.raises(ValueError, match=change):
            export(source / "run", out, other)
    assert times(out) == before


def test_overwrite_exports_again_what_has_other_settings(source, out):
    export(source, out)
    before = contents(out)
    again = FlowExportRecipe(bound=10.0, overwrite=True, backend="serial")
    assert export(source, out, again).exported == 3
    after = contents(out)
    assert after.keys() == before.keys()
    assert after["run/a/flow_x_00001.jpg"] != before["run/a/flow_x_00001.jpg"]
    assert export(source, out, again).skipped == 3


def test_how_it_runs_is_no_setting_of_the_result(source, out):
    export(source, out)
    other = FlowExportRecipe(workers=3, backend="processes", overwrite=True)
    assert export(source, out, other).skipped == 3


def test_a_video_that_has_changed_is_exported_anew(source, out, movies):
    export(source, out)
    write_video(source / "run/a.mkv", movies["run/a.mkv"][:2], codec="ffv1")
    summary = export(source, out)
    assert (summary.exported, summary.skipped, summary.frames) == (1, 2, 7)
    assert len(list((out / "run/a").glob("img_*.jpg"))) == 2


def test_videos_that_share_a_stem_have_folders_of_their_own(source, out, movies):
    write_video(source / "run/a.avi", movies["run/b.mkv"], codec="ffv1")
    assert export(source, out).exported == 4
    folders = sorted(path.name for path in (out / "run").iterdir())
    assert folders == ["a.avi", "a.mkv", "b"]
    assert len(list((out / "run/a.avi").glob("img_*"))) == 4
    assert len(list((out / "run/a.mkv").glob("img_*"))) == 5


def test_two_workers_write_the_same_bytes_as_one_process(source, out, tmp_path):
    (source / "run/aa.mp4").write_bytes(b"no video")
    first = export(source, out)
    second = export(source, tmp_path / "second", FlowExportRecipe(workers=2))
    assert contents(tmp_path / "second") == contents(out)
    assert second.failures == first.failures
    assert (second.exported, second.frames) == (first.exported, first.frames) == (3, 10)


def test_an_export_into_its_own_source_does_not_export_itself(source):
    for _ in range(2):
        summary = export(source, source / "out")
        assert summary.frames == 10
    assert summary.skipped == 3


def test_one_video_can_be_given(source, out):
    summary = export(source / "run/a.mkv", out)
    assert summary.frames == 5
    assert (out / "a/img_00005.jpg").is_file()


def test_a_folder_that_is_not_ours_is_never_replaced(source, out):
    (out / "run/b").mkdir(parents=True)
    (out / "run/b/notes.txt").write_text("mine")
    for overwrite in (False, True):
        recipe = FlowExportRecipe(overwrite=overwrite, backend="serial")
        with pytest.raises(ValueError, match="in the way: it is no exported video"):
            export(source, out, recipe)
    assert contents(out) == {"run/b/notes.txt": b"mine"}


def test_places_that_cannot_be_used_are_named(source, out, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="file is a file; give a folder"):
        export(source, tmp_path / "file")
    with pytest.raises(PermissionError, match=r"cannot write into .* \(.+\); give another folder"):
        export(source, tmp_path / "file" / "below")
    with pytest.raises(PermissionError, match="cannot write into /proc"):
        export(source, Path("/proc/out"))
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        export(tmp_path / "nowhere", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (FlowExportRecipe(bound=0.0), "bound must be above 0, got 0"),
        (FlowExportRecipe(quality=0), "quality must be from 1 to 100, got 0"),
        (FlowExportRecipe(short_side=-1), "short_side must be at least 0, got -1"),
        (FlowExportRecipe(layout="tsn"), "layout must be one of frames, got 'tsn'"),
        (FlowExportRecipe(flow=FlowRecipe(winsize=0)), "winsize must be at least ., got 0"),
        (FlowExportRecipe(workers=-1), "workers must be at least 0, got -1"),
    ],
)
def test_settings_out_of_range_are_named_before_any_work(source, out, recipe, text):
    with pytest.raises(ValueError, match=text):
        export(source, out, recipe)
    assert not out.exists()


def test_a_damaged_description_is_named(source, out):
    export(source, out)
    for text in ("{", "[]", '{"frames": 5}'):
        (out / "run/a/export.json").write_text(text)
        with pytest.raises(ValueError, match=r"a/export\.json is"):
            export(source, out)


def test_damaged_real_videos_yield_what_decodes(shared_data, out):
    corpus = shared_data / "corpus"
    recipe = FlowExportRecipe(short_side=48, backend="serial")
    summary = export(corpus / "broken", out / "broken", recipe)
    check_counts(out / "broken", summary)
    assert {Path(path).name for path, _ in summary.failures} >= {
        "empty.mp4",
        "noise.mp4",
        "text.avi",
    }
    assert summary.exported >= 2
    silent = export(corpus / "audio_only", out / "audio_only", recipe)
    assert silent.exported == 0
    assert len(silent.failures) == len(list((corpus / "audio_only").iterdir()))
    assert {reason for _, reason in silent.failures} == {"has no video stream, only audio"}


@pytest.mark.slow
def test_every_real_video_gives_exactly_its_pairs(shared_data, out):
    corpus = shared_data / "corpus"
    summary = export(corpus, out, FlowExportRecipe())
    check_counts(out, summary)
    good = list((corpus / "good").iterdir())
    assert not [path for path, _ in summary.failures if Path(path).parent.name == "good"]
    assert summary.exported >= len(good)
    for path in good:
        folder = next(p for p in (out / "good" / path.stem, out / "good" / path.name) if p.exists())
        with iter_frames(path) as stream:
            frames = sum(1 for _ in stream)
        assert len(list(folder.glob("img_*.jpg"))) == frames
    before = times(out / "good") | times(out / "broken")
    again = export(corpus, out, FlowExportRecipe())
    assert (again.exported, again.failures) == (0, summary.failures)
    assert times(out / "good") | times(out / "broken") == before


def check_counts(out: Path, summary: flow_export.FlowExport) -> None:
    folders = [path.parent for path in out.rglob("export.json")]
    assert len(folders) == summary.exported
    for folder in folders:
        frames = json.loads((folder / "export.json").read_text())["frames"]
        assert len(list(folder.glob("img_*.jpg"))) == frames
        for axis in "xy":
            numbers = sorted(int(path.stem[-5:]) for path in folder.glob(f"flow_{axis}_*.jpg"))
            assert numbers == list(range(1, frames))
