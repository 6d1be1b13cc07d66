"""The page holds every number of the run, needs nothing else, and survives any name."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from classicvid.metrics import Scores, wilson_interval
from pipelines import report, store, tables

QUALITY = {
    "feature-histograms": 6.0,
    "single-frame": 1.2,
    "slow-fusion": 4.5,
    "two-stream": 5.0,
}
KTH = ("boxing", "handclapping", "handwaving", "jogging", "running", "walking")
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "Tänzerin 跳舞 'x' & <b>")
VOID = {"meta", "link", "br", "img", "hr", "input"}


def test_every_number_of_the_table_is_on_the_page(tmp_path):
    run = make_run(tmp_path)
    page = Page(report.run(run))
    metrics = store.read_json(run / "metrics.json")
    rows = page.tables[0]
    assert rows[0] == ["Method", *(titled(column) for column in tables.COLUMNS)]
    for (name, row), cells in zip(metrics.items(), rows[1:-1], strict=True):
        assert cells[0].startswith(name)
        shown = [as_shown(cell) for cell in cells[1:]]
        assert shown == [column.cell(row) for column in tables.COLUMNS]


def test_the_best_is_told_in_words(tmp_path):
    page = Page(report.run(make_run(tmp_path)))
    column = [row[2] for row in page.tables[0][1:-1]]
    assert [value.endswith(" best") for value in column] == [True, False, False, False]


def test_the_verdict_comes_first_and_chance_and_protocol_are_stated(tmp_path):
    run = make_run(tmp_path)
    text = Page(report.run(run)).text
    assert "Does kth need motion?" in text
    assert text.index("This data needs motion.") < text.index("Results")
    assert "leave-one-group-out, 4 folds, 48 test videos, seed 0" in text
    assert "each group is tested once, by models that never saw it" in text
    assert "chance, 16.7" in text


def test_tags_are_balanced_and_headings_and_regions_are_named(tmp_path):
    page = Page(report.run(make_run(tmp_path)))
    assert page.problems == []
    assert len(page.all("h1")) == 1
    assert all(table.get("scope") in {"col", "row"} for table in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    regions = [part for part in page.all("div") if part.get("role") == "region"]
    assert regions
    assert all(part["aria-label"] and part["tabindex"] == "0" for part in regions)
    images = [part for part in page.all("svg") if part.get("role") == "img"]
    assert all(part["aria-label"] for part in images)
    names = [tag["id"] for tag in page.everything if "id" in tag]
    assert len(names) == len(set(names))
    targets = {link["href"] for link in page.all("a")}
    assert targets <= {f"#{name}" for name in names}


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    path = report.run(make_run(tmp_path))
    source = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in source
    assert "url(" not in source
    assert "@import" not in source
    page = Page(path)
    assert [tag.get("href") for tag in page.all("link")] == ["data:,"]
    assert not any("src" in tag for tag in page.everything)


def test_hostile_names_stay_text(tmp_path):
    run = make_run(tmp_path, classes=HOSTILE, root="/data/<svg onload=alert(3)>")
    store.write_failures(run, [("a/<i>.mp4", "bad & <broken> \udcff")])
    page = Page(report.run(run))
    assert page.problems == []
    assert len(page.all("script")) == 1
    assert not any(key.startswith("on") for tag in page.everything for key in tag)
    assert not page.all("img")
    assert not page.all("i")
    for name in (*HOSTILE, "<svg onload=alert(3)>", "a/<i>.mp4", "bad & <broken>"):
        assert name in page.text


def test_the_same_run_gives_the_same_bytes(tmp_path):
    first = report.run(make_run(tmp_path / "a")).read_bytes()
    assert report.run(make_run(tmp_path / "b")).read_bytes() == first
    assert not list((tmp_path / "a").glob(".report*"))


def test_one_method_has_neither_best_nor_mean(tmp_path):
    run = make_run(tmp_path, classes=("fall", "walk"), methods=("single-frame",))
    page = Page(report.run(run))
    assert page.problems == []
    assert not any(tag.get("class") == "best" for tag in page.everything)
    rates = store.read_json(run / "metrics.json")["single-frame"]["class_accuracy"]
    classes = [["Class", "Videos", "single-frame"]]
    classes += [[name, "8", tables.show_percent(rate)] for name, rate in rates.items()]
    assert page.tables[1] == classes


def test_two_classes_one_method_and_nothing_optional(tmp_path):
    run = make_run(tmp_path, classes=("fall", "walk"), methods=("single-frame",), logs=False)
    (run / "methods/single-frame/scores.npz").unlink()
    store.write_json(
        run / "verdict.json",
        {
            "sentence": "Not decided: no method that sees motion was run.",
            "needs_motion": "unknown",
            "appearance_method": "single-frame",
            "motion_method": None,
            "difference": None,
            "low": None,
            "high": None,
            "chance": 0.5,
        },
    )
    page = Page(report.run(run))
    assert page.problems == []
    assert "Not decided." in page.text
    assert "Confusion" not in page.text
    assert "with 2 classes every Hit@5 is 100 %" in page.text


def test_unknown_values_are_dashes(tmp_path):
    run = make_run(tmp_path)
    metrics = store.read_json(run / "metrics.json")
    for key in metrics["two-stream"]:
        metrics["two-stream"][key] = None
    metrics["single-frame"]["class_accuracy"]["boxing"] = None
    store.write_json(run / "metrics.json", metrics)
    page = Page(report.run(run))
    assert page.problems == []
    assert page.tables[0][4][1:] == ["–not measured"] * len(tables.COLUMNS)
    assert "Not drawn, for want of a time or a score: two-stream" in page.text


def test_a_hundred_and_one_classes_stay_small(tmp_path):
    classes = tuple(f"class {number:03d}" for number in range(101))
    path = report.run(make_run(tmp_path, classes=classes, per_class=8))
    assert Page(path).problems == []
    assert path.stat().st_size < 1_500_000


def test_a_small_run_gives_a_small_page(tmp_path):
    assert report.run(make_run(tmp_path)).stat().st_size < 80_000


def test_confusions_and_hard_videos_are_listed(tmp_path):
    run = make_run(tmp_path)
    scores = Scores.load(run / "methods/single-frame/scores.npz")
    page = Page(report.run(run))
    matrix = next(rows for rows in page.tables if rows[0][0] == "true ↓ said →")
    best = Scores.load(run / "methods/feature-histograms/scores.npz")
    shown = [[int(cell or 0) for cell in row[1:]] for row in matrix[1:]]
    assert shown == best.confusion().tolist()
    assert f"{int((~scores.hits).sum())} of 48 videos wrong" in page.text
    wrong = sum(~part.hits for part in all_scores(run))
    hard = {name for name, count in zip(scores.videos, wrong, strict=True) if count > 2}
    table = next(rows for rows in page.tables if rows[0][0] == "Video" and len(rows[0]) == 6)
    assert {row[0] for row in table[1:]} == hard


def test_the_command_makes_the_run_again(tmp_path):
    run = make_run(tmp_path, root="/data/my videos")
    text = Page(report.run(run)).text
    assert "classicvid compare '/data/my videos' \\" in text
    assert "--methods feature-histograms,single-frame,slow-fusion,two-stream" in text
    assert "--protocol leave-one-group-out" in text
    assert "--flip false" in text
    assert "numpy\xa02.4" in text


def test_a_torn_log_is_read_as_far_as_it_goes(tmp_path):
    run = make_run(tmp_path)
    log = run / "methods/single-frame/folds/001/log.jsonl"
    log.write_text(log.read_text() + '{"step": 9999, "lo\n{"step": 3, "loss": NaN}\n[1]\n')
    page = Page(report.run(run))
    assert "mean of 4 folds" in page.text
    assert "9,999" not in page.text


def test_an_unfinished_run_is_refused(tmp_path):
    run = make_run(tmp_path)
    (run / "verdict.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"not a finished comparison: verdict\.json"):
        report.run(run)


def make_run(
    folder: Path,
    *,
    classes=KTH,
    methods=tuple(QUALITY),
    per_class=8,
    root="/data/kth",
    logs=True,
) -> Path:
    """Write a comparison with plausible numbers, as ``classicvid compare`` leaves it."""
    rng = np.random.default_rng(7)
    labels = np.repeat(np.arange(len(classes)), per_class)
    videos = [f"{n:02d}-{classes[c]}/person{n % per_class:02d}" for n, c in enumerate(labels)]
    groups = [f"person{n % 4}" for n in range(len(labels))]
    rows = np.arange(len(labels))
    folds = [{"name": f"person{k}", "train": rows[rows % 4 != k].tolist()} for k in range(4)]
    for k, fold in enumerate(folds):
        fold["test"] = rows[rows % 4 == k].tolist()
    metrics = {}
    for method in methods:
        metrics[method] = make_method(folder, method, classes, videos, labels, rng, logs=logs)
    keys = ("name", "label", "group", "split")
    table = zip(videos, labels, groups, strict=True)
    store.write_yaml(
        folder / "recipe.yaml",
        {
            "data": root,
            "digest": "0f1e2d3c4b5a6978",
            "protocol": "leave-one-group-out",
            "folds": 5,
            "size": "tiny",
            "train_steps": 0,
            "flip": False,
            "seed": 0,
            "device": "auto",
            "precision": "auto",
        },
    )
    store.write_json(
        folder / "dataset.json",
        {
            "root": root,
            "classes": classes,
            "videos": [
                dict(zip(keys, (name, classes[c], group, None), strict=True))
                for name, c, group in table
            ],
            "folds": folds,
            "versions": {"python": "3.11.7", "numpy": "2.4"},
        },
    )
    store.write_json(folder / "metrics.json", metrics)
    store.write_json(
        folder / "verdict.json",
        {
            "sentence": "This data needs motion: feature-histograms gets 91.7 % of the videos "
            "right and single-frame, which sees one frame at a time, 33.3 %; motion adds 58.3 "
            "points (95 % interval 47.9 to 68.8).",
            "needs_motion": "yes",
            "appearance_method": "single-frame",
            "motion_method": "feature-histograms",
            "difference": 0.583,
            "low": 0.479,
            "high": 0.688,
            "chance": 1 / len(classes),
        },
    )
    return folder


def make_method(folder, method, classes, videos, labels, rng, *, logs) -> dict:
    place = folder / "methods" / method
    place.mkdir(parents=True)
    logits = rng.normal(size=(len(labels), len(classes)))
    ease = np.random.default_rng(3).uniform(0.0, 1.4, len(labels))  # the same for all methods
    logits[np.arange(len(labels)), labels] += QUALITY[method] * ease
    values = np.exp(1.5 * logits)
    values /= values.sum(axis=1, keepdims=True)
    network = method != "feature-histograms"
    if network:
        scores = Scores.from_clips(
            classes=classes,
            videos=videos,
            labels=labels,
            clip_scores=values,
            clip_videos=np.arange(len(labels)),
        )
    else:
        scores = Scores.from_videos(classes=classes, videos=videos, labels=labels, scores=values)
    scores.save(place / "scores.npz")
    if network and logs:
        for fold in range(1, 5):
            log = place / "folds" / f"{fold:03d}" / "log.jsonl"
            log.parent.mkdir(parents=True)
            steps = np.arange(10, 410, 10)
            losses = 0.15 + 1.7 * np.exp(-steps / (600 / QUALITY[method]))
            losses += rng.normal(0, 0.06, len(steps))
            lines = zip(steps.tolist(), np.abs(losses).tolist(), strict=True)
            text = "".join(
                json.dumps({"step": s, "loss": v, "seconds": 1}) + "\n" for s, v in lines
            )
            log.write_text(text)
    rates = scores.class_accuracy().tolist()
    return {
        "clip_hit_at_1": scores.clip_hit_at(1),
        "video_hit_at_1": scores.video_hit_at(1),
        "video_hit_at_5": scores.video_hit_at(5),
        "mean_class_accuracy": scores.mean_class_accuracy(),
        "parameters": {"feature-histograms": 61066, "two-stream": 512044}.get(method, 241030),
        "train_seconds": {"feature-histograms": 3.2, "two-stream": 171.0}.get(method, 84.0),
        "clips_per_second": {"feature-histograms": 12.6, "two-stream": 151.2}.get(method, 1312.0),
        "video_hit_at_1_interval": wilson_interval(int(scores.hits.sum()), len(labels)),
        "class_accuracy": dict(zip(classes, rates, strict=True)),
        "videos": len(labels),
        "folds": 4,
    }


def all_scores(run: Path) -> list[Scores]:
    return [Scores.load(path) for path in sorted(run.glob("methods/*/scores.npz"))]


def as_shown(cell: str) -> str:
    return cell.removesuffix(" best").replace("–not measured", "–").replace("–", "-")


def titled(column) -> str:
    unit = f", {column.unit}" if column.unit == "%" else ""
    return column.title + unit


class Page(HTMLParser):
    """A page as its text, its tables as rows of text, and its tags; notes tags out of balance."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.everything: list[dict] = []
        self.tables: list[list[list[str]]] = []
        self._open: list[str] = []
        self._text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]
        for number, rows in enumerate(self.tables):
            if len({len(row) for row in rows}) != 1:
                self.problems.append(f"table {number} has rows of different lengths")
        self.text = " ".join("".join(self._text).split(" "))

    def all(self, tag: str) -> list[dict]:
        return [entry for entry in self.everything if entry[""] == tag]

    def handle_starttag(self, tag, attrs):
        if len(attrs) != len(dict(attrs)):
            self.problems.append(f"<{tag}> has an attribute twice")
        self.everything.append({"": tag, **dict(attrs)})
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in {"td", "th"}:
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.everything.append({"": tag, **dict(attrs)})
        if "svg" not in self._open:
            self.problems.append(f"<{tag}/> closes itself outside SVG")

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if self._open and self._open[-1] in {"style", "script"}:
            return
        self._text.append(data)
        if {"td", "th"} & set(self._open) and "small" not in self._open:
            self.tables[-1][-1][-1] += data
