"""A comparison trains each method under the same folds, goes on where it stopped, and says so."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classicvid.metrics import Scores
from classicvid.video import write_video
from pipelines import cli, compare
from pipelines.recipes import CompareRecipe
from pipelines.sample_sets import write_sample_set

METHODS = "two-stream,feature-histograms,single-frame"
FIGURES = {
    "clip_hit_at_1",
    "video_hit_at_1",
    "video_hit_at_5",
    "mean_class_accuracy",
    "parameters",
    "train_seconds",
    "clips_per_second",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two classes of six videos, and one file that is no video."""
    folder = write_sample_set(
        tmp_path_factory.mktemp("data") / "set", "motion", train=4, test=2, workers=1
    )
    for label in ("rotate", "zoom", "oscillate", "up", "down"):
        shutil.rmtree(folder / label)
    lines = (folder / "videos.csv").read_text().splitlines()
    kept = [line for line in lines if line.startswith(("path", "left", "right"))]
    (folder / "left" / "broken.mp4").write_bytes(b"not a video")
    (folder / "videos.csv").write_text("\n".join([*kept, "left/broken.mp4,left,train"]) + "\n")
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> CompareRecipe:
    runs = tmp_path_factory.mktemp("runs")
    return CompareRecipe(
        methods=METHODS, train_steps=4, workers=1, runs=str(runs), run="both", seed=3
    )


@pytest.fixture(scope="module")
def found(data, recipe) -> compare.Comparison:
    return compare.run(data, recipe)


def stamps(folder: Path) -> dict[Path, int]:
    places = [folder / "clips", folder / "features", *folder.glob("methods/*/folds")]
    made = [path for place in places for path in place.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in made}


def test_writes_what_the_report_and_others_read(found):
    assert found.protocol == "split, 1 fold"
    metrics = json.loads((found.folder / "metrics.json").read_text())
    assert list(metrics) == ["feature-histograms", "single-frame", "two-stream"]
    for row in metrics.values():
        assert set(row) >= FIGURES
        assert 0 <= row["video_hit_at_1"] <= row["video_hit_at_5"] <= 1
        assert row["parameters"] > 0
    assert metrics["feature-histograms"]["clip_hit_at_1"] is None
    assert "<html" in (found.folder / "report.html").read_text()
    assert json.loads((found.folder / "verdict.json").read_text())["sentence"]


def test_goes_on_past_a_broken_video_and_lists_it(found):
    (path,) = found.failures
    assert path.endswith("left/broken.mp4")
    assert "broken.mp4" in (found.folder / "failures.csv").read_text()
    scores = Scores.load(found.folder / "methods" / "single-frame" / "scores.npz")
    assert len(scores.videos) == 4


def test_two_stream_is_the_average_of_its_streams(found):
    parts = [
        Scores.load(found.folder / "methods" / name / "scores.npz")
        for name in ("two-stream", "spatial-stream", "temporal-stream")
    ]
    mean = (parts[1].video_scores + parts[2].video_scores) / 2
    np.testing.assert_allclose(parts[0].video_scores, mean, atol=1e-6)


def test_streams_are_fused_by_weights_and_by_a_support_vector_machine(data, recipe, found):
    more = compare.run(
        data, replace(recipe, methods="spatial-stream,two-stream-weighted,two-stream-svm")
    )
    assert list(more.metrics) == ["spatial-stream", "two-stream-weighted", "two-stream-svm"]
    methods = found.folder / "methods"
    parts = {
        name: Scores.load(methods / name / "scores.npz")
        for name in ("spatial-stream", "temporal-stream", "two-stream-weighted", "two-stream-svm")
    }
    weighted = parts["spatial-stream"].video_scores + 2 * parts["temporal-stream"].video_scores
    np.testing.assert_allclose(parts["two-stream-weighted"].video_scores, weighted / 3, atol=1e-6)
    learnt = Scores.load(methods / "spatial-stream" / "folds" / "001" / "training_scores.npz")
    assert len(learnt.videos) == 8
    assert not set(learnt.videos) & set(parts["two-stream-svm"].videos)


def test_a_second_run_trains_nothing_again(data, recipe, found):
    before = stamps(found.folder)
    again = compare.run(data, recipe)
    assert stamps(found.folder) == before
    assert again.metrics == found.metrics


def test_a_run_that_stopped_ends_with_the_same_numbers(data, recipe, found):
    folder = found.folder / "methods" / "single-frame"
    before = Scores.load(folder / "scores.npz").clip_scores
    shutil.rmtree(folder)
    compare.run(data, recipe)
    np.testing.assert_array_equal(Scores.load(folder / "scores.npz").clip_scores, before)


def test_a_method_can_be_added(data, recipe, found):
    before = stamps(found.folder)
    more = compare.run(data, replace(recipe, methods="feature-histograms,temporal-stream"))
    assert list(more.metrics) == ["feature-histograms", "temporal-stream"]
    assert before.items() <= stamps(found.folder).items()


def test_other_settings_are_refused(data, recipe, found):
    with pytest.raises(ValueError, match=r"seed: 3 then, 4 now.*--overwrite true"):
        compare.run(data, replace(recipe, seed=4))


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"protocol": "leave-one-group-out"}, "group"),
        ({"protocol": "group-k-fold", "folds": 99}, "folds"),
        ({"methods": "none"}, "methods"),
        ({"seed": -1}, "seed"),
        ({"train_steps": -5}, "train_steps"),
        ({"workers": -1}, "workers"),
        ({"device": "cuda"}, "no GPU"),
    ],
)
def test_bad_options_are_refused_before_any_work(data, tmp_path, monkeypatch, change, wanted):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    recipe = replace(CompareRecipe(runs=str(tmp_path / "runs"), run="x"), **change)
    with pytest.raises(ValueError, match=wanted):
        compare.run(data, recipe)
    assert not (tmp_path / "runs").exists()


def test_all_videos_broken_is_one_clear_line(tmp_path, capsys):
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "set" / label / f"{number}.mp4").write_bytes(b"no video")
    words = ["compare", str(tmp_path / "set"), "--methods", "feature-histograms"]
    words += ["--folds", "2", "--workers", "1", "--runs", str(tmp_path / "runs")]
    assert cli.main(words) == cli.WRONG_USAGE
    assert "6 of 6 videos cannot be read" in capsys.readouterr().err


def test_the_command_prints_the_table_and_the_verdict(data, recipe, found, capsys):
    words = ["compare", str(data), "--methods", METHODS, "--train_steps", "4", "--workers", "1"]
    words += ["--runs", recipe.runs, "--run", "both", "--seed", "3"]
    assert cli.main(words) == cli.SOME_FAILED
    out, err = capsys.readouterr()
    assert out.index("feature-histograms") < out.index("single-frame") < out.index("two-stream")
    assert found.verdict.sentence in out
    assert "broken.mp4" in err


def test_groups_stay_together(tmp_path, rng):
    rows = []
    for group in range(4):
        for label in ("dark", "bright"):
            path = tmp_path / f"{label}{group}.mp4"
            level = 40 if label == "dark" else 200
            frames = np.clip(rng.normal(level, 10, (4, 32, 32, 3)), 0, 255).astype(np.uint8)
            write_video(path, frames)
            rows.append(f"{path.name},{label},person{group}")
    (tmp_path / "videos.csv").write_text("path,label,group\n" + "\n".join(rows) + "\n")
    options = CompareRecipe(
        methods="feature-histograms",
        protocol="leave-one-group-out",
        workers=1,
        runs=str(tmp_path / "runs"),
    )
    compared = compare.run(tmp_path, options)
    stored = json.loads((compared.folder / "dataset.json").read_text())
    assert [fold["name"] for fold in stored["folds"]] == [f"person{n}" for n in range(4)]
    for fold in stored["folds"]:
        groups = [{stored["videos"][row]["group"] for row in fold[k]} for k in ("train", "test")]
        assert not groups[0] & groups[1]
