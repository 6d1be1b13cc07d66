"""Features as a user asks for them: what lies in the files, what is skipped and refused."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from classicvid.image import to_gray
from classicvid.synthetic import random_texture
from classicvid.trajectories import DenseTrajectories, Trajectories
from classicvid.video import probe, read_frames, write_video
from pipelines import cli, feature_export
from pipelines.array_files import ArrayFile
from pipelines.feature_kinds import FeatureHeader
from pipelines.recipes import FeaturesRecipe, TrajectoryRecipe
from pipelines.store import read_yaml

FRAMES = 22
POSITIONS = {"end_frame": "int32", "scale": "float32", "mean": "float32", "deviation": "float32"}
POSITIONS |= {"length": "float32", "points": "float32"}
DESCRIPTORS = {"shape": 30, "hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96}


def film(seed: int, count: int = FRAMES, step: float = 1.5) -> np.ndarray:
    """Film a texture that drifts behind a window, shape (count, 48, 64, 3)."""
    canvas = random_texture(np.random.default_rng(seed)).astype(np.uint8)
    places = np.round(np.arange(count) * step).astype(int)
    return np.stack([canvas[20:68, 20 + x : 84 + x] for x in places])


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for name, movie in {
        "run/a": film(1),
        "run/b": film(2),
        "rest/short": film(3, count=12),
        "rest/still": film(4, step=0),
        "rest/black": np.zeros((18, 48, 64, 3), np.uint8),
        "rest/one": film(5, count=1),
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        write_video(root / f"{name}.mkv", movie, codec="ffv1")
    return root


@pytest.fixture(scope="module")
def out(source, tmp_path_factory) -> Path:
    """The trajectories of all videos."""
    folder = tmp_path_factory.mktemp("out") / "trajectories"
    summary = export(source, folder, FeaturesRecipe())
    assert (summary.exported, summary.skipped, summary.failures) == (6, 0, ())
    return folder


def export(source, out, recipe, **changes) -> feature_export.FeatureExport:
    serial = FeaturesRecipe(**{**vars(recipe), "backend": "serial", **changes})
    return feature_export.run(source, out, serial, progress=False)


def run_main(capsys, *words) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def stamps(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in root.rglob("*.*")}


def expected(path: Path) -> Trajectories:
    extractor = DenseTrajectories()
    frames = [to_gray(frame) for frame in read_frames(path)]
    return Trajectories.concatenate([extractor.feed(gray) for gray in frames])


def test_a_file_holds_what_the_library_finds(source, out):
    file = ArrayFile(out / "run" / "a.safetensors")
    found = expected(source / "run" / "a.mkv")
    assert len(found) > 20
    assert file.rows == dict.fromkeys([*POSITIONS, *DESCRIPTORS], len(found))
    for name, dtype in POSITIONS.items():
        assert file.read(name).dtype == dtype
        np.testing.assert_array_equal(file.read(name), getattr(found, name))
    for name, size in DESCRIPTORS.items():
        assert file.read(name).dtype == np.float16
        assert file.read(name).shape[1] == size
        np.testing.assert_array_equal(file.read(name), getattr(found, name).astype(np.float16))


def test_the_header_says_where_the_features_come_from(source, out):
    header = FeatureHeader.parse(ArrayFile(out / "run" / "a.safetensors").metadata)
    assert (header.kind, header.source) == ("trajectories", "a.mkv")
    assert header.source_bytes == (source / "run" / "a.mkv").stat().st_size
    assert (header.width, header.height, header.frames, header.fps) == (64, 48, FRAMES, 25.0)
    assert header.settings == {
        "kind": "trajectories",
        "dtype": "float16",
        "short_side": 0,
        "tracking": "flow",
        "length": 15,
        "stride": 5,
        "scales": 8,
        "patch": 32,
        "quality": 0.001,
        "min_flow": 0.4,
    }
    assert read_yaml(out / "recipe.yaml") == {**header.settings, "format": "safetensors"}


@pytest.mark.parametrize("name", ["short", "still", "black", "one"])
def test_no_trajectory_is_a_result(out, name):
    file = ArrayFile(out / "rest" / f"{name}.safetensors")
    assert set(file.rows.values()) == {0}
    assert file.read("points").shape == (0, 16, 2)
    assert {name: file.read(name).shape[1] for name in DESCRIPTORS} == DESCRIPTORS


def test_what_exists_is_not_done_again(source, out):
    before = stamps(out)
    summary = export(source, out, FeaturesRecipe(), workers=3)
    assert (summary.exported, summary.skipped) == (0, 6)
    assert {name: time for name, time in stamps(out).items() if name != "recipe.yaml"} == {
        name: time for name, time in before.items() if name != "recipe.yaml"
    }


def test_a_run_that_stopped_goes_on(source, tmp_path):
    export(source / "run", tmp_path, FeaturesRecipe())
    (tmp_path / "b.safetensors").unlink()
    before = stamps(tmp_path)
    summary = export(source / "run", tmp_path, FeaturesRecipe())
    assert (summary.exported, summary.skipped) == (1, 1)
    assert stamps(tmp_path)["a.safetensors"] == before["a.safetensors"]


def test_other_settings_are_refused_unless_overwritten(source, tmp_path):
    video = source / "run" / "a.mkv"
    export(video, tmp_path, FeaturesRecipe())
    before = stamps(tmp_path)
    with pytest.raises(ValueError, match=r"dtype: float16 then, float32 now.*--overwrite true"):
        export(video, tmp_path, FeaturesRecipe(dtype="float32"))
    with pytest.raises(ValueError, match="format: safetensors then, idt now"):
        export(video, tmp_path, FeaturesRecipe(format="idt"))
    assert stamps(tmp_path) == before
    summary = export(video, tmp_path, FeaturesRecipe(dtype="float32"), overwrite=True)
    assert summary.exported == 1
    assert ArrayFile(tmp_path / "a.safetensors").read("hog").dtype == np.float32
    again = export(video, tmp_path, FeaturesRecipe(dtype="float32"), overwrite=True)
    assert again.skipped == 1


def test_a_video_that_changed_is_described_anew(tmp_path):
    video = tmp_path / "a.mkv"
    write_video(video, film(1), codec="ffv1")
    export(video, tmp_path / "out", FeaturesRecipe())
    write_video(video, film(1, count=18), codec="ffv1")
    assert export(video, tmp_path / "out", FeaturesRecipe()).frames == 18


def test_a_folder_that_is_not_ours_is_never_touched(source, tmp_path):
    for name, text in (("recipe.yaml", "methods: all\n"), ("a.safetensors", "mine")):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        (folder / name).write_text(text)
        for overwrite in (False, True):
            with pytest.raises(ValueError, match="is in the way: it holds no features"):
                export(source / "run", folder, FeaturesRecipe(), overwrite=overwrite)
        assert (folder / name).read_text() == text


def test_a_recipe_holds_the_trajectories_options(source, tmp_path):
    recipe = FeaturesRecipe(trajectories=TrajectoryRecipe(length=6, stride=10, patch=16))
    export(source / "run" / "a.mkv", tmp_path, recipe)
    file = ArrayFile(tmp_path / "a.safetensors")
    assert file.read("points").shape[1:] == (7, 2)
    assert file.read("end_frame").min() >= 6


def test_larger_videos_are_reduced_on_demand(source, tmp_path):
    export(source / "run" / "a.mkv", tmp_path, FeaturesRecipe(short_side=36))
    header = FeatureHeader.parse(ArrayFile(tmp_path / "a.safetensors").metadata)
    assert (header.width, header.height) == (48, 36)
    export(source / "run" / "a.mkv", tmp_path / "b", FeaturesRecipe(short_side=360))
    header = FeatureHeader.parse(ArrayFile(tmp_path / "b" / "a.safetensors").metadata)
    assert (header.width, header.height) == (64, 48)


def test_rows_are_printed_and_written_alike(source, tmp_path, capsys):
    video = source / "run" / "a.mkv"
    code, printed, err = run_main(capsys, "features", video, "-", "--format", "idt")
    assert (code, err) == (cli.DONE, "")
    export(video, tmp_path / "text", FeaturesRecipe(format="idt"))
    export(video, tmp_path / "packed", FeaturesRecipe(format="idt.gz"))
    assert (tmp_path / "text" / "a.idt").read_text() == printed
    assert gzip.decompress((tmp_path / "packed" / "a.idt.gz").read_bytes()).decode() == printed
    assert [path.name for path in (tmp_path / "text").iterdir()] == ["a.idt", "recipe.yaml"]
    table = np.array([line.split("\t") for line in printed.splitlines()], float)
    found = expected(video)
    assert table.shape == (len(found), 436)
    np.testing.assert_array_equal(table[:, 0], found.end_frame)
    np.testing.assert_allclose(table[:, 340:], found.mbhy, atol=1e-6)
    again = export(video, tmp_path / "text", FeaturesRecipe(format="idt"))
    assert (again.exported, again.skipped) == (0, 1)


def test_an_overlay_is_a_video_with_as_many_frames(source, tmp_path, capsys):
    drawn = tmp_path / "drawn.mp4"
    code, said, _ = run_main(
        capsys, "features", source / "run" / "a.mkv", tmp_path / "out", "--overlay", drawn
    )
    assert code == cli.DONE
    assert "1 videos exported" in said
    info, frames = probe(drawn), read_frames(drawn)
    assert frames.shape == (FRAMES, 480, 640, 3)
    assert (info.codec, info.pixel_format, info.fps) == ("h264", "yuv420p", 25.0)
    coloured = (np.ptp(frames.astype(int), axis=3) > 60).mean(axis=(1, 2))
    assert coloured[5:18].min() > 0.001


def test_a_folder_of_overlays(source, tmp_path):
    recipe = FeaturesRecipe(overlay=str(tmp_path / "drawn"))
    export(source, tmp_path / "out", recipe)
    names = sorted(str(path.relative_to(tmp_path / "drawn")) for path in tmp_path.rglob("*.mp4"))
    assert names == [f"rest/{name}.mp4" for name in ("black", "one", "short", "still")] + [
        "run/a.mp4",
        "run/b.mp4",
    ]
    assert len(read_frames(tmp_path / "drawn" / "rest" / "short.mp4")) == 12
    (tmp_path / "drawn" / "run" / "b.mp4").unlink()
    assert export(source, tmp_path / "out", recipe).exported == 1
    assert (tmp_path / "drawn" / "run" / "b.mp4").exists()


def test_improved_trajectories_take_boxes_of_people(source, tmp_path):
    recipe = FeaturesRecipe(kind="improved-trajectories")
    boxes = tmp_path / "people.txt"
    boxes.write_text("".join(f"{number} 0 0 64 48 0.9\n" for number in range(FRAMES)))
    free = export(source / "run" / "a.mkv", tmp_path / "free", recipe)
    masked = export(source / "run" / "a.mkv", tmp_path / "masked", recipe, people=str(boxes))
    # Everything drifts: with the camera's motion taken out nothing is left, but where a person
    # fills the frame no camera motion can be seen.
    assert free.features < masked.features


def test_boxes_that_are_missing_are_named(source, tmp_path, capsys):
    words = ["features", source / "run" / "a.mkv", tmp_path / "out"]
    words += ["--kind", "improved-trajectories", "--people"]
    code, _, err = run_main(capsys, *words, tmp_path / "none.txt")
    assert (code, err.count("\n")) == (cli.WRONG_USAGE, 1)
    assert "none.txt does not exist" in err
    code, _, err = run_main(capsys, *words, tmp_path)
    assert code == cli.WRONG_USAGE
    assert "--people must be a file, as there is one video" in err
    words[1] = source / "run"
    code, _, err = run_main(capsys, *words, tmp_path, "--backend", "serial")
    assert code == cli.SOME_FAILED
    assert "a.txt" in (tmp_path / "out" / "failures.csv").read_text()


@pytest.mark.parametrize("kind", ["stip", "cuboids"])
def test_interest_points_are_stored_with_their_descriptors(tmp_path, kind):
    t, y, x = np.mgrid[:30, :48, :64]
    bump = np.exp(-((x - 30) ** 2 + (y - 24) ** 2) / 50 - (t - 15) ** 2 / 50)
    movie = (128 + 120 * bump * np.sin(2 * np.pi * t / 5)).astype(np.uint8)[..., None]
    movie = np.repeat(movie, 3, axis=3)
    write_video(tmp_path / "a.mkv", movie, codec="ffv1")
    summary = export(tmp_path / "a.mkv", tmp_path / "out", FeaturesRecipe(kind=kind))
    file = ArrayFile(tmp_path / "out" / "a.safetensors")
    assert summary.features == file.rows["xyt"] > 0
    names = {"stip": {"hog": 72, "hof": 90}, "cuboids": {"gradients": 1323}}[kind]
    assert {name: file.read(name).shape[1] for name in names} == names
    assert {file.read(name).dtype.name for name in names} == {"float16"}
    x, y, _ = file.read("xyt")[0]
    assert 12 < x < 48
    assert 6 < y < 42


def test_a_killed_worker_leaves_nothing_behind(source, tmp_path):
    part = tmp_path / ".a.idt.part-999999999-0123abcd"
    part.mkdir()
    (part / "features.safetensors").touch()
    export(source / "run" / "a.mkv", tmp_path, FeaturesRecipe(format="idt"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.idt", "recipe.yaml"]


def test_histograms_are_stored_with_a_header(source, tmp_path):
    summary = export(source / "run" / "a.mkv", tmp_path, FeaturesRecipe(kind="histograms"))
    assert (summary.exported, summary.frames) == (1, FRAMES)
    file = ArrayFile(tmp_path / "a.safetensors")
    assert FeatureHeader.parse(file.metadata).kind == "histograms"
    assert {"hog", "hof", "mbhx", "mbhy"} <= file.rows.keys()
    assert [path.name for path in tmp_path.iterdir()].count("a.safetensors") == 1


def test_broken_videos_are_listed_and_the_others_done(source, tmp_path, capsys):
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "good.mkv").write_bytes((source / "rest" / "short.mkv").read_bytes())
    (folder / "bad.mp4").write_bytes(b"no video")
    (folder / "empty.avi").write_bytes(b"")
    code, said, err = run_main(capsys, "features", folder, tmp_path / "out", "--workers", 1)
    assert code == cli.SOME_FAILED
    assert "1 videos exported" in said
    assert "2 failed" in said
    with (tmp_path / "out" / "failures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [Path(row["path"]).name for row in rows] == ["bad.mp4", "empty.avi"]
    assert "2 videos failed; all are listed in" in err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "failures.csv",
        "good.safetensors",
        "recipe.yaml",
    ]


def test_audio_alone_is_a_failure_with_its_reason(shared_data, tmp_path):
    summary = export(shared_data / "corpus" / "audio_only", tmp_path, FeaturesRecipe())
    assert summary.exported == 0
    assert {reason for _, reason in summary.failures} == {"has no video stream, only audio"}


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("{tmp}/none", "{tmp}/out"), "none does not exist"),
        (("{tmp}", "{tmp}/out"), "no video in"),
        (("{run}", "-", "--format", "idt"), "OUT - prints the rows of one video"),
        (("{a}", "-"), "OUT - prints the rows of one video: give a video and --format idt"),
        (("{a}", "{tmp}/out", "--kind", "surf"), "kind"),
        (("{a}", "{tmp}/out", "--kind", "stip", "--overlay", "o.mp4"), "--overlay needs --kind"),
        (("{a}", "{tmp}/out", "--kind", "cuboids", "--format", "idt"), "--format idt needs"),
        (("{a}", "{tmp}/out", "--people", "p.txt"), "--people needs --kind improved-trajectories"),
        (("{a}", "{tmp}/out", "--overlay", "{tmp}/drawn"), "--overlay must be a file that ends"),
        (("{run}", "{tmp}/out", "--overlay", "o.mp4"), "--overlay must be a folder"),
        (("{a}", "{tmp}/out", "--short_side", "-1"), "short_side must be at least 0"),
        (("{a}", "{tmp}/out", "--trajectories.length", "4"), "length must be a multiple of 3"),
        (
            ("{a}", "{tmp}/out", "--format", "idt", "--trajectories.length", "6"),
            "rows of --format idt have trajectories of 15 steps",
        ),
        (("{a}", "{a}"), "is a file; give a folder to write into"),
    ],
)
def test_wrong_usage_is_one_line_before_any_work(source, tmp_path, capsys, words, wanted):
    places = {"tmp": tmp_path, "run": source / "run", "a": source / "run" / "a.mkv"}
    code, said, err = run_main(capsys, "features", *(word.format(**places) for word in words))
    assert (code, said, err.count("\n")) == (cli.WRONG_USAGE, "", 1)
    assert wanted in err
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_cannot_be_read_prints_no_rows(tmp_path, capsys):
    (tmp_path / "a.mp4").write_bytes(b"no video")
    code, said, err = run_main(capsys, "features", tmp_path / "a.mp4", "-", "--format", "idt")
    assert (code, said) == (cli.SOME_FAILED, "")
    assert "a.mp4" in err


def test_two_workers_write_the_same_bytes(source, out, tmp_path):
    recipe = FeaturesRecipe(workers=2)
    feature_export.run(source, tmp_path, recipe, progress=False)
    for path in sorted(out.rglob("*.safetensors")):
        assert (tmp_path / path.relative_to(out)).read_bytes() == path.read_bytes()


def test_headers_that_are_damaged_are_refused(out):
    metadata = ArrayFile(out / "run" / "a.safetensors").metadata
    assert json.loads(metadata["frames"]) == FRAMES
    for change in ({"frames": "0"}, {"frames": "many"}, {"settings": "[]"}):
        with pytest.raises(ValueError):  # noqa: PT011 - each has a text of its own
            FeatureHeader.parse({**metadata, **change})
    del metadata["width"]
    with pytest.raises(ValueError, match="its header lacks width"):
        FeatureHeader.parse(metadata)
