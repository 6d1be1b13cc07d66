"""Scores of known quality go in; the figures of scikit-learn and of plain counting come out."""

from __future__ import annotations

import pickle
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, top_k_accuracy_score

from classicvid.metrics import (
    Scores,
    hit_at_k,
    label_ranks,
    paired_difference,
    wilson_interval,
)

CLASSES = ("run", "walk", "wave", "jump")


def make_scores(rng, *, videos=30, clips=90) -> Scores:
    """Random scores whose clips lie in no order, at least one a video."""
    rows = rng.permutation(np.concatenate([np.arange(videos), rng.integers(0, videos, clips)]))
    return Scores.from_clips(
        classes=CLASSES,
        videos=[f"video {n}" for n in range(videos)],
        labels=rng.integers(0, len(CLASSES), videos),
        clip_scores=rng.random((len(rows), len(CLASSES))),
        clip_videos=rows,
    )


def judged(hits, *, names=None) -> Scores:
    """Scores that get exactly the videos right for which ``hits`` is true."""
    hits = np.asarray(hits, bool)
    return Scores.from_videos(
        classes=("a", "b"),
        videos=names or [str(n) for n in range(len(hits))],
        labels=np.zeros(len(hits), int),
        scores=np.column_stack((hits, ~hits)),
    )


def assert_same(first: Scores, second: Scores) -> None:
    assert first.classes == second.classes
    assert first.videos == second.videos
    for name in ("labels", "video_scores", "clip_scores", "clip_videos"):
        left, right = getattr(first, name), getattr(second, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)


# Hit@k


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_hit_at_k_is_that_of_scikit_learn(rng, k):
    scores, labels = rng.standard_normal((200, 10)), rng.integers(0, 10, 200)
    expected = top_k_accuracy_score(labels, scores, k=k, labels=np.arange(10))
    assert hit_at_k(scores, labels, k) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int8, np.uint8, bool])
def test_ties_go_to_the_lowest_class_as_in_argmax(rng, dtype):
    scores = rng.integers(0, 3, (300, 6)).astype(dtype)
    labels = rng.integers(0, 6, 300)
    assert hit_at_k(scores, labels, 1) == np.mean(np.argmax(scores, axis=1) == labels)


def test_constant_scores_hit_only_the_classes_that_come_first():
    labels = np.repeat(np.arange(5), 20)
    assert [hit_at_k(np.zeros((100, 5)), labels, k) for k in (1, 2, 5)] == [0.2, 0.4, 1.0]


def test_ranks_are_counted_from_the_best():
    scores = [[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [-np.inf, 1, np.inf]]
    assert label_ranks(scores, [0, 0, 1, 0]).tolist() == [2, 0, 1, 2]


def test_the_best_of_several_labels_counts():
    scores = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    marks = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 0]])
    assert label_ranks(scores, marks).tolist() == [1, 2, 3]
    assert [hit_at_k(scores, marks, k) for k in (1, 2, 3)] == [0, 1 / 3, 2 / 3]


def test_one_label_a_sample_is_a_special_case_of_marks(rng):
    scores, labels = rng.integers(0, 4, (100, 7)), rng.integers(0, 7, 100)
    np.testing.assert_array_equal(
        label_ranks(scores, labels), label_ranks(scores, np.eye(7, dtype=bool)[labels])
    )


def test_a_sample_without_a_label_is_never_hit_however_large_k():
    assert hit_at_k(np.zeros((2, 3)), [[0, 0, 0], [0, 0, 1]], 50) == 0.5


def test_hit_at_k_of_nothing_is_nan():
    assert np.isnan(hit_at_k(np.zeros((0, 3)), [], 1))


@pytest.mark.parametrize(
    ("scores", "labels", "k", "error"),
    [
        (np.zeros((2, 3)), [0, 3], 5, ValueError),
        (np.zeros((2, 3)), [0, -1], 5, ValueError),
        (np.zeros((2, 3)), [0.0, 1.0], 1, TypeError),
        (np.zeros((2, 3)), [0], 1, ValueError),
        (np.zeros(3), [0, 1, 2], 1, ValueError),
        (np.zeros((2, 0)), np.zeros((2, 0), bool), 1, ValueError),
        ([[np.nan, 0.0]], [0], 1, ValueError),
        (np.zeros((2, 3)), [0, 1], 0, ValueError),
        (np.zeros((2, 3)), [0, 1], 1.0, TypeError),
    ],
)
def test_what_cannot_be_ranked_is_refused(scores, labels, k, error):
    with pytest.raises(error):
        hit_at_k(scores, labels, k)


# Scores


def test_clips_are_averaged_into_their_videos(rng):
    scores = make_scores(rng)
    for row in range(len(scores.videos)):
        mine = scores.clip_scores[scores.clip_videos == row].astype(np.float64)
        np.testing.assert_allclose(scores.video_scores[row], mine.mean(axis=0), rtol=1e-6)


def test_a_clip_is_judged_by_the_label_of_its_video():
    scores = Scores.from_clips(
        classes=("a", "b"),
        videos=("x", "y"),
        labels=[0, 1],
        clip_scores=[[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.0, 1.0]],
        clip_videos=[0, 0, 0, 1],
    )
    assert scores.clip_hit_at(1) == 0.5
    assert scores.video_hit_at(1) == 1.0
    assert scores.hits.tolist() == [True, True]


def test_a_method_that_sees_whole_videos_has_no_clip_figure():
    assert judged([1, 0]).clip_hit_at(1) is None


@pytest.mark.parametrize(
    ("rows", "count", "words"),
    [
        ([0, 0, 0], 3, "every video needs a clip, 'y' has none"),
        ([0, 1, 2], 3, "clip_videos must be from 0 to 1, got 2"),
        ([0, 1, -1], 3, "got -1"),
        ([0, 1, 10**15], 3, "got 1000000000000000"),
        ([0, 1], 3, "a row for each of 3 clips, got 2"),
        ([0, 1, 1], 1, "a row for each of 1 clips, got 3"),
    ],
)
def test_clips_and_videos_must_fit(rows, count, words):
    with pytest.raises(ValueError, match=words):
        Scores.from_clips(
            classes=("a", "b"),
            videos=("x", "y"),
            labels=[0, 1],
            clip_scores=np.zeros((count, 2)),
            clip_videos=rows,
        )


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"classes": ("a", "a")}, ValueError, "classes .* 'a' stands twice"),
        ({"videos": ("x", "x", "y")}, ValueError, "videos .* 'x' stands twice"),
        ({"labels": [0, 1, 2]}, ValueError, "labels must be from 0 to 1, got 2"),
        ({"labels": [0, 1, -1]}, ValueError, "labels must be from 0 to 1, got -1"),
        ({"labels": [0.2, 0.9, 1.0]}, TypeError, "labels must be whole numbers"),
        ({"labels": [0, 1]}, ValueError, "labels must have a row for each of 3 videos, got 2"),
        ({"labels": [[0], [1], [0]]}, ValueError, r"labels must be \(N,\)"),
        ({"video_scores": np.zeros((2, 2))}, ValueError, "each of 3 videos, got 2"),
        ({"video_scores": np.zeros((3, 5))}, ValueError, r"video_scores must be \(N, 2\)"),
        ({"video_scores": np.full((3, 2), np.nan)}, ValueError, "must be finite"),
        ({"clip_scores": np.zeros((4, 2))}, ValueError, "each of 4 clip_scores, got 0"),
        ({"clip_videos": [0]}, ValueError, "each of 0 clip_scores, got 1"),
    ],
)
def test_fields_that_do_not_fit_are_refused(change, error, words):
    good = {
        "classes": ("a", "b"),
        "videos": ("x", "y", "z"),
        "labels": [0, 1, 0],
        "video_scores": np.zeros((3, 2)),
        "clip_scores": np.zeros((0, 2)),
        "clip_videos": [],
    }
    Scores(**good)
    with pytest.raises(error, match=words):
        Scores(**{**good, **change})


def test_confusion_and_class_accuracy_are_those_of_scikit_learn(rng):
    scores = make_scores(rng, videos=120)
    guess = scores.video_scores.argmax(axis=1)
    np.testing.assert_array_equal(scores.confusion(), confusion_matrix(scores.labels, guess))
    expected = balanced_accuracy_score(scores.labels, guess)
    assert scores.mean_class_accuracy() == pytest.approx(expected)
    assert np.trace(scores.confusion()) / 120 == scores.video_hit_at(1)


def test_a_class_without_videos_is_left_out_of_the_mean():
    scores = Scores.from_videos(
        classes=("a", "b", "c"), videos=("x", "y"), labels=[0, 2], scores=np.eye(3)[[0, 0]]
    )
    assert scores.class_accuracy()[[0, 2]].tolist() == [1.0, 0.0]
    assert np.isnan(scores.class_accuracy()[1])
    assert scores.mean_class_accuracy() == 0.5


def test_no_videos_give_nan_without_a_warning(rng):
    empty = make_scores(rng).select([])
    assert np.isnan(empty.mean_class_accuracy())
    assert np.isnan(empty.video_hit_at(1))
    assert empty.clip_hit_at(1) is None


def test_selection_takes_each_video_with_its_clips(rng):
    scores = make_scores(rng)
    names = [scores.videos[row] for row in (7, 2, 29)]
    chosen = scores.select(names)
    assert chosen.videos == tuple(names)
    for row, old in enumerate((7, 2, 29)):
        assert chosen.labels[row] == scores.labels[old]
        np.testing.assert_array_equal(
            chosen.clip_scores[chosen.clip_videos == row],
            scores.clip_scores[scores.clip_videos == old],
        )
        np.testing.assert_array_equal(chosen.video_scores[row], scores.video_scores[old])
    assert len(chosen.clip_videos) == np.isin(scores.clip_videos, (7, 2, 29)).sum()


def test_selection_names_what_is_missing(rng):
    with pytest.raises(ValueError, match=r"no scores of 'ghost' \(2 videos"):
        make_scores(rng).select(["video 1", "ghost", "other"])


def test_folds_join_into_what_they_were_cut_from(rng):
    whole = make_scores(rng)
    parts = [whole.select(whole.videos[start : start + 10]) for start in (0, 10, 20)]
    assert_same(Scores.concatenate(parts), whole.select(whole.videos))


def test_folds_that_share_a_video_or_differ_in_classes_are_refused(rng):
    whole = make_scores(rng)
    with pytest.raises(ValueError, match="'video 3' stands twice"):
        Scores.concatenate([whole, whole.select(["video 3"])])
    with pytest.raises(ValueError, match="same classes"):
        Scores.concatenate([whole, judged([1])])
    with pytest.raises(ValueError, match="0 folds"):
        Scores.concatenate([])


def test_fusion_matches_videos_by_name(rng):
    first = make_scores(rng)
    shuffled = first.select([first.videos[row] for row in rng.permutation(30)])
    fused = Scores.average([first, shuffled])
    np.testing.assert_allclose(fused.video_scores, first.video_scores, rtol=1e-6)
    assert fused.videos == first.videos
    np.testing.assert_array_equal(fused.labels, first.labels)
    # The clips of a video keep their order, so they are the same clips.
    assert fused.clip_hit_at(1) == first.clip_hit_at(1)


def test_fusion_weighs_methods(rng):
    first = make_scores(rng)
    second = replace(first, video_scores=rng.random((30, 4)))
    fused = Scores.average([first, second], weights=[1, 3])
    expected = 0.25 * first.video_scores + 0.75 * second.video_scores
    np.testing.assert_allclose(fused.video_scores, expected, rtol=1e-6)
    alone = Scores.average([first, second], weights=[2, 0])
    np.testing.assert_allclose(alone.video_scores, first.video_scores, rtol=1e-6)


def test_fusion_leaves_out_clips_that_were_cut_differently(rng):
    first = make_scores(rng)
    other = Scores.from_clips(
        classes=first.classes,
        videos=first.videos,
        labels=first.labels,
        clip_scores=rng.random((30, 4)),
        clip_videos=np.arange(30),
    )
    fused = Scores.average([first, other])
    assert fused.clip_hit_at(1) is None
    expected = (first.video_scores + other.video_scores) / 2
    np.testing.assert_allclose(fused.video_scores, expected, rtol=1e-6)


@pytest.mark.parametrize("weights", [[1.0], [0, 0], [-1, 2], [np.nan, 1], [np.inf, 1]])
def test_weights_that_make_no_mean_are_refused(rng, weights):
    scores = make_scores(rng)
    with pytest.raises(ValueError, match="2 methods need a weight"):
        Scores.average([scores, scores], weights=weights)


def spoil(scores: Scores, how: str) -> Scores:
    if how == "labels":
        return replace(scores, labels=(scores.labels + 1) % 4)
    if how == "classes":
        return replace(scores, classes=scores.classes[::-1])
    return scores.select(scores.videos[1:])


@pytest.mark.parametrize("how", ["labels", "classes", "videos"])
def test_only_methods_on_the_same_videos_are_fused_or_compared(rng, how):
    scores = make_scores(rng)
    other = spoil(scores, how)
    for first, second in ((scores, other), (other, scores)):
        with pytest.raises(ValueError, match="only Scores of the same classes"):
            Scores.average([first, second])
        with pytest.raises(ValueError, match="only Scores of the same classes"):
            paired_difference(first, second)


# Files


@pytest.mark.parametrize("names", [("a", "b"), ("Größe/日本", 'x "y",\n z')])
def test_saved_scores_come_back(tmp_path, rng, names):
    scores = replace(make_scores(rng, videos=2), videos=names)
    scores.save(tmp_path / "scores.npz")
    assert_same(Scores.load(tmp_path / "scores.npz"), scores)


def test_saved_scores_keep_the_name_they_are_given(tmp_path):
    judged([1, 0]).save(tmp_path / ".scores.part-1")
    assert [path.name for path in tmp_path.iterdir()] == [".scores.part-1"]
    assert_same(Scores.load(tmp_path / ".scores.part-1"), judged([1, 0]))


class Bomb:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (open, (str(self.trace), "w"))


def write_hostile(path, trace, kind):
    fields = {name: getattr(judged([1, 0]), name) for name in Scores.__dataclass_fields__}
    if kind == "objects":
        fields["labels"] = np.array([Bomb(trace), Bomb(trace)], object)
    elif kind == "too few":
        del fields["clip_videos"]
    elif kind == "out of range":
        fields["labels"] = np.array([0, 99])
    elif kind == "no names":
        fields["classes"] = np.array(3.5)
    elif kind == "labels as text":
        fields["labels"] = np.array(["0", "1"])
    if kind == "a pickle":
        path.write_bytes(pickle.dumps(Bomb(trace)))
    elif kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "a zip of other things":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("labels", b"text")
    else:
        with path.open("wb") as file:
            np.savez(file, allow_pickle=True, **fields)
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "bytes changed":
        content = bytearray(path.read_bytes())
        place = content.find(b"NUMPY")
        content[place : place + 300] = bytes(300)
        path.write_bytes(content)


@pytest.mark.parametrize(
    "kind",
    [
        "objects",
        "too few",
        "out of range",
        "no names",
        "labels as text",
        "a pickle",
        "one array",
        "empty",
        "a zip of other things",
        "cut short",
        "bytes changed",
    ],
)
def test_a_hostile_file_is_refused_in_one_line_and_runs_nothing(tmp_path, kind):
    path, trace = tmp_path / "scores.npz", tmp_path / "trace"
    write_hostile(path, trace, kind)
    with pytest.raises(ValueError, match=r"is no readable scores file .*delete it") as caught:
        Scores.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "trust" not in str(caught.value)
    assert not trace.exists()


def test_the_hostile_writer_writes_good_files_too(tmp_path):
    write_hostile(tmp_path / "scores.npz", tmp_path / "trace", "good")
    assert_same(Scores.load(tmp_path / "scores.npz"), judged([1, 0]))


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Scores.load(tmp_path / "scores.npz")


# Uncertainty


@pytest.mark.parametrize(
    ("hits", "total", "expected"),
    [
        # Newcombe 1998, table I: Wilson's method without continuity correction.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
        (29, 29, (1 - 0.1170, 1.0)),
    ],
)
def test_wilson_intervals_are_those_in_print(hits, total, expected):
    assert wilson_interval(hits, total) == pytest.approx(expected, abs=1e-4)


def test_wilson_interval_solves_its_equation():
    low, high = wilson_interval(7, 31, z=2.5)
    for bound in (low, high):
        assert abs(7 / 31 - bound) == pytest.approx(2.5 * np.sqrt(bound * (1 - bound) / 31))


def test_wilson_interval_is_symmetric_and_stays_within_0_and_1():
    for hits in range(11):
        low, high = wilson_interval(hits, 10)
        assert 0 <= low <= hits / 10 <= high <= 1
        assert wilson_interval(10 - hits, 10) == pytest.approx((1 - high, 1 - low))
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(3, 10, z=0) == pytest.approx((0.3, 0.3))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_wilson_interval_holds_the_true_rate_19_times_in_20(rng, rate):
    intervals = {hits: wilson_interval(hits, 60) for hits in range(61)}
    drawn = rng.binomial(60, rate, 20000)
    held = np.mean([intervals[hits][0] <= rate <= intervals[hits][1] for hits in drawn])
    assert 0.93 < held < 0.97


@pytest.mark.parametrize(("hits", "total"), [(3, 2), (-1, 2), (0, -1)])
def test_wilson_interval_refuses_impossible_counts(hits, total):
    with pytest.raises(ValueError, match="must be"):
        wilson_interval(hits, total)


def test_a_difference_counts_the_videos_that_only_one_gets_right():
    first = judged([1, 1, 1, 0, 0, 1, 1, 1, 1, 0])
    second = judged([1, 0, 0, 1, 0, 1, 1, 1, 1, 0])
    difference, low, high = paired_difference(first, second)
    assert difference == pytest.approx(0.1)
    assert low < difference < high
    swapped = paired_difference(second, first)
    assert swapped == pytest.approx((-difference, -high, -low))


def test_a_difference_matches_videos_by_name():
    names = ["w", "x", "y", "z"]
    first = judged([1, 1, 0, 0], names=names)
    second = judged([0, 0, 1, 1], names=names[::-1])
    assert paired_difference(first, second)[0] == 0.0


def test_a_difference_is_the_same_for_the_same_seed(rng):
    first, second = judged(rng.random(50) < 0.7), judged(rng.random(50) < 0.5)
    assert paired_difference(first, second) == paired_difference(first, second)
    few = [paired_difference(first, second, samples=20, seed=seed) for seed in range(5)]
    assert len(set(few)) > 1


def test_groups_of_like_videos_widen_the_interval(rng):
    hits = np.repeat(rng.random(12) < 0.7, 20)
    first, second = judged(hits), judged(np.zeros(240))
    groups = [f"g{n}" for n in np.repeat(np.arange(12), 20)]
    alone, together = (paired_difference(first, second, groups=g) for g in (None, groups))
    assert together[0] == alone[0]
    assert together[2] - together[1] > 3 * (alone[2] - alone[1])


def test_the_interval_holds_the_true_difference_19_times_in_20(rng):
    held = []
    for _ in range(250):
        first, second = judged(rng.random(80) < 0.7), judged(rng.random(80) < 0.5)
        _, low, high = paired_difference(first, second, samples=250)
        held.append(low <= 0.2 <= high)
    assert 0.90 < np.mean(held) < 0.99


def test_one_group_says_nothing_of_the_difference():
    difference = paired_difference(judged([1, 1]), judged([0, 0]), groups=["g", "g"])
    assert difference == (1.0, -1.0, 1.0)


def test_many_groups_take_little_memory():
    first, second = judged(np.arange(20000) % 3 == 0), judged(np.arange(20000) % 2 == 0)
    tracemalloc.start()
    paired_difference(first, second, samples=500)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500 * 20000  # bytes; all draws at once would be 8 times that or more


@pytest.mark.parametrize("groups", [["a"], [], ["a", "b", "c"]])
def test_groups_must_be_one_a_video(groups):
    with pytest.raises(ValueError, match="with a group each"):
        paired_difference(judged([1, 0]), judged([1, 0]), groups=groups)
