"""Encoded local features: what is learnt from training videos only, and compared by the command."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from classicvid.encodings import Codebook, FisherVector, SpatioTemporalPyramid
from classicvid.metrics import Scores
from classicvid.synthetic import random_texture
from classicvid.video import write_video
from pipelines import compare, encoded_methods, video_encoder
from pipelines.array_files import ArrayFile, spool_arrays
from pipelines.encoded_methods import BUDGETS, ENCODINGS, Budget, extraction_recipe
from pipelines.feature_kinds import DESCRIPTORS, FeatureHeader, feature_positions
from pipelines.recipes import METHODS, CompareRecipe
from pipelines.run_folder import RunFolder
from pipelines.video_encoder import VideoEncoder

NAMES = {name for name, method in METHODS.items() if method.kind == "encoding"}
SIZES = {"shape": 30, "hog": 96, "hof": 108, "mbhx": 96, "mbhy": 96, "gradients": 60}
CELLS = np.array([1, 4, 3, 2, 8, 6])  # of the paper's grids
SMALL = Budget(9, 1, 400, 2, 400, 0)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(encoded_methods.BUDGETS, "tiny", SMALL)


@pytest.fixture
def files(tmp_path, rng) -> list[Path]:
    """Made-up trajectories of three videos, the last without any."""
    return [write_trajectories(tmp_path / f"{rows}", rows, rng) for rows in (150, 90, 0)]


def write_trajectories(path: Path, rows: int, rng: np.random.Generator) -> Path:
    arrays = {name: rng.random((rows, size)) for name, size in SIZES.items()}
    arrays |= {"mean": rng.uniform(0, (64, 48), (rows, 2)), "points": rng.random((rows, 16, 2))}
    arrays["end_frame"] = rng.integers(15, 40, rows)
    with spool_arrays(path, dtypes=dict.fromkeys(arrays, "float32")) as spool:
        spool.append(arrays)
        spool.metadata.update(header().metadata())
    return path


def header() -> FeatureHeader:
    return FeatureHeader("trajectories", "a", 1, 64, 48, 40, None, 0, {}, "0")


def test_every_method_is_described():
    assert ENCODINGS.keys() == NAMES
    for encoding in ENCODINGS.values():
        joined = [name for names in encoding.channels.values() for name in names]
        assert set(joined) == set(DESCRIPTORS[encoding.features])
        assert len(joined) == len(set(joined))


def test_the_papers_numbers_are_the_papers():
    paper = BUDGETS["paper"]
    assert (paper.words, paper.restarts, paper.word_sample) == (4000, 8, 100_000)
    assert (paper.components, paper.mixture_sample, paper.short_side) == (256, 256_000, 0)
    assert extraction_recipe("stip", size="tiny", workers=3).short_side == 240


def test_words_are_counted_by_descriptor_and_grid(files, small):
    encoder = VideoEncoder("trajectories-bof", size="tiny", seed=3).fit(files)
    file = ArrayFile(files[1])
    places = feature_positions({n: file.read(n) for n in ("mean", "end_frame", "points")}, header())
    wanted = []
    for names in (("shape",), ("hog",), ("hof",), ("mbhx", "mbhy")):
        rows = [np.hstack([ArrayFile(f).read(name) for name in names]) for f in files]
        codebook = Codebook(9, restarts=1, seed=3).fit(np.concatenate(rows))
        own = codebook.encode(rows[1], positions=places, pyramid=SpatioTemporalPyramid())
        wanted += [np.append(part, 0) for part in np.split(own, 9 * np.cumsum(CELLS)[:-1])]
    np.testing.assert_allclose(encoder.encode(files[1]), np.concatenate(wanted), atol=1e-6)
    assert sum(encoder.widths) == len(encoder.encode(files[1])) == 4 * (24 * 9 + 6)
    assert len(encoder.widths) == 24
    for part in np.split(encoder.encode(files[1]), np.cumsum(encoder.widths)[:-1]):
        assert part.sum() == pytest.approx(1, abs=1e-5)


def test_fisher_vectors_are_joined(files, small):
    encoder = VideoEncoder("trajectories-fisher", size="tiny", seed=3).fit(files)
    vector = encoder.encode(files[0])
    assert encoder.widths == [2 * 2 * size + 1 for size in (15, 48, 54, 96)]
    for name, part in zip(
        ENCODINGS["trajectories-fisher"].channels,
        np.split(vector, np.cumsum(encoder.widths)[:-1]),
        strict=True,
    ):
        assert isinstance(encoder.encoders[name], FisherVector)
        assert np.linalg.norm(part) == pytest.approx(1, abs=1e-5)


def test_cuboids_are_projected_first(files, small, monkeypatch):
    encoding = replace(ENCODINGS["cuboids-bof"], components=7)
    monkeypatch.setitem(encoded_methods.ENCODINGS, "cuboids-bof", encoding)
    encoder = VideoEncoder("cuboids-bof", size="tiny", seed=0).fit(files)
    rows = np.concatenate([ArrayFile(file).read("gradients") for file in files])
    centre, directions = encoder.projections["gradients"]
    np.testing.assert_allclose(centre, rows.mean(axis=0), atol=1e-5)
    _, _, vectors = np.linalg.svd(rows - rows.mean(axis=0))
    np.testing.assert_allclose(np.abs(np.sum(directions * vectors[:7], axis=1)), 1, atol=1e-3)
    assert encoder.encoders["gradients"].n_features_in_ == 7


def test_few_descriptors_make_few_words(files):
    encoder = VideoEncoder("trajectories-bof", size="tiny", seed=0).fit(files)
    assert {len(codebook.words_) for codebook in encoder.encoders.values()} == {240 // 25}
    encoder = VideoEncoder("trajectories-fisher", size="tiny", seed=0).fit(files)
    assert {len(mixture.weights_) for mixture in encoder.encoders.values()} == {240 // 100}


@pytest.mark.parametrize("method", ["cuboids-bof", "trajectories-bof", "trajectories-fisher"])
def test_an_empty_video_has_a_number_of_its_own(files, small, method):
    encoder = VideoEncoder(method, size="tiny", seed=0).fit(files)
    last = np.cumsum(encoder.widths) - 1
    np.testing.assert_array_equal(np.flatnonzero(encoder.encode(files[2])), last)
    assert (encoder.encode(files[2])[last] == 1).all()
    assert (encoder.encode(files[0])[last] == 0).all()
    blind = VideoEncoder(method, size="tiny", seed=0).fit(files[2:])
    assert blind.encode(files[2]).sum() == len(blind.widths)
    assert np.isfinite(blind.encode(files[0])).all()


@pytest.mark.parametrize("method", ["cuboids-bof", "trajectories-bof", "trajectories-fisher"])
def test_what_is_saved_is_loaded(files, small, method, tmp_path):
    encoder = VideoEncoder(method, size="tiny", seed=0).fit(files)
    encoder.save(tmp_path / "model")
    loaded = VideoEncoder(method, size="tiny", seed=0).load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.encode(files[0]), encoder.encode(files[0]))
    assert loaded.widths == encoder.widths
    names = {path.name for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert names <= {"model.safetensors", "config.json", "projection.safetensors"}


def test_of_many_features_a_sample_is_encoded(files, small, monkeypatch):
    encoder = VideoEncoder("trajectories-bof", size="tiny", seed=0).fit(files)
    whole = encoder.encode(files[0])
    monkeypatch.setattr(video_encoder, "MOST_FEATURES", 100)
    some = encoder.encode(files[0])
    assert 0 < np.abs(some - whole).sum() < np.abs(whole).sum()
    # The same rows of descriptors and of positions: 100 counts in each grid.
    counts = some[: encoder.widths[0]] * 100
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-3)
    monkeypatch.setattr(video_encoder, "MOST_FEATURES", 150)
    np.testing.assert_array_equal(encoder.encode(files[0]), whole)


SCENES = 6


def film(seed: int, step: float) -> np.ndarray:
    """Film a patch that crosses a scene at rest, ``step`` pixels a frame; shape (30, 64, 96, 3)."""
    rng = np.random.default_rng(seed)
    scene, patch = (random_texture(rng).astype(np.uint8) for _ in range(2))
    movie = np.repeat(scene[None, :64, :96], 30, axis=0)
    for number, frame in enumerate(movie):
        x = round(28 + (number - 15) * step)
        frame[12:52, x : x + 40] = patch[:40, :40]
    return movie


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Patches that cross to one of two sides, in six scenes; one test video is still."""
    root = tmp_path_factory.mktemp("data") / "set"
    root.mkdir()
    rows = []
    for scene in range(SCENES):
        for label, step in (("left", -1.5), ("right", 1.5)):
            name = f"{label}{scene}.mkv"
            movie = film(scene, step if name != "left0.mkv" else 0)
            write_video(root / name, movie, codec="ffv1")
            rows.append((name, label, "test" if scene < 2 else "train"))
    with (root / "videos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return root


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> CompareRecipe:
    runs = tmp_path_factory.mktemp("runs")
    return CompareRecipe(
        methods="trajectories-bof,trajectories-fisher,cuboids-bof,stip-bof",
        workers=1,
        runs=str(runs),
    )


@pytest.fixture(scope="module")
def found(data, recipe) -> compare.Comparison:
    return compare.run(data, recipe)


def test_all_methods_reach_scores(found, recipe):
    assert found.failures == {}
    assert set(found.metrics) == NAMES
    for name, row in found.metrics.items():
        scores = Scores.load(RunFolder(found.folder).scores(name))
        assert len(scores.videos) == 4
        np.testing.assert_allclose(scores.video_scores.sum(axis=1), 1, rtol=1e-5)
        assert row["parameters"] > 0
        assert row["clip_hit_at_1"] is None
        assert row["clips_per_second"] > 0


@pytest.mark.parametrize("method", ["trajectories-bof", "trajectories-fisher"])
def test_trajectories_tell_left_from_right(found, method):
    scores = Scores.load(RunFolder(found.folder).scores(method))
    moving = [name != "left/left0" for name in scores.videos]
    assert scores.hits[moving].all()


def test_features_lie_in_the_run_by_kind(found):
    names = sorted(path.name for path in (found.folder / "features").iterdir())
    assert names == ["cuboids", "improved-trajectories", "stip", "trajectories"]
    still = ArrayFile(RunFolder(found.folder).features("left/left0", "trajectories"))
    assert set(still.rows.values()) == {0}


def test_nothing_is_learnt_from_test_videos(data, recipe, found, tmp_path):
    """With other test videos all that is learnt stays as it is."""
    stored = json.loads((found.folder / "dataset.json").read_text())
    changed = tmp_path / "set"
    shutil.copytree(data, changed)
    for row in stored["folds"][0]["test"]:
        name = stored["videos"][row]["name"].partition("/")[2]
        noise = np.random.default_rng(row).integers(0, 255, (20, 64, 96, 3)).astype(np.uint8)
        write_video(changed / f"{name}.mkv", noise, codec="ffv1")
    again = replace(recipe, methods="trajectories-bof", runs=str(tmp_path / "runs"))
    other = compare.run(changed, again)
    place = Path("methods/trajectories-bof/folds/001/model")
    models = sorted((found.folder / place).rglob("model.safetensors"))
    assert len(models) == 5
    for path in models:
        twin = other.folder / place / path.relative_to(found.folder / place)
        assert twin.read_bytes() == path.read_bytes()


def test_a_second_run_does_nothing_again(data, recipe, found):
    places = [found.folder / "features", *found.folder.glob("methods/*/folds")]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    again = compare.run(data, recipe)
    assert again.metrics == found.metrics
    assert {path: path.stat().st_mtime_ns for path in files} == before
