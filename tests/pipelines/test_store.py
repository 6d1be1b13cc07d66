"""Results are written, broken off and written again; only whole ones may be found afterwards."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import uuid

import numpy as np
import pytest

from pipelines import store
from pipelines.store import (
    atomic_file,
    atomic_folder,
    clear_leftovers,
    keep_recipe,
    read_arrays,
    read_json,
    read_yaml,
    write_arrays,
    write_failures,
    write_json,
    write_yaml,
)

NAMES = ["video", "a[1]*?.mp4", ".hidden", "日本 語", "x" * 255, "é" * 127]


def contents(folder) -> dict[str, str]:
    """Text of every file below a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def names_in(folder) -> list[str]:
    """Names of all that lies in a folder, hidden or not."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def dead_process() -> int:
    """Number of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def leftover_of(final, process):
    """Path of what ``process`` would write before it renames it to ``final``."""
    name = store._part_name(final).name
    assert str(os.getpid()) in name
    return final.with_name(name.replace(f"{os.getpid()}-", f"{process}-"))


class Stop(BaseException):
    """Ends a block as Ctrl-C does."""


def break_off_folder(final, error=Stop):
    with atomic_folder(final) as part:
        (part / "deep").mkdir()
        (part / "deep" / "half").write_text("2")
        raise error


def break_off_file(final):
    with atomic_file(final) as part:
        part.write_text("half")
        raise Stop


# Folders


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_appears_whole_when_its_block_ends(tmp_path, name):
    final = tmp_path / "class" / name
    with atomic_folder(final) as part:
        (part / "a").write_text("1")
        assert part.parent == final.parent  # else the rename could not be atomic
        assert not final.exists()
    assert contents(final) == {"a": "1"}
    assert names_in(final.parent) == [name]


@pytest.mark.parametrize("error", [ValueError, Stop, KeyboardInterrupt])
def test_a_folder_broken_off_leaves_nothing(tmp_path, error):
    with pytest.raises(error):
        break_off_folder(tmp_path / "video", error)
    assert names_in(tmp_path) == []


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    final = tmp_path / "video"
    with atomic_folder(final) as part:
        (part / "old").write_text("1")
    with pytest.raises(Stop):
        break_off_folder(final)
    assert contents(tmp_path) == {"video/old": "1"}
    with atomic_folder(final) as part:
        (part / "new").write_text("2")
    assert contents(tmp_path) == {"video/new": "2"}
    assert names_in(tmp_path) == ["video"]


def test_the_old_folder_comes_back_where_the_new_one_cannot_be_renamed(tmp_path):
    final = tmp_path / "video"
    with atomic_folder(final) as part:
        (part / "old").write_text("1")
    with pytest.raises(FileNotFoundError), atomic_folder(final) as part:
        part.rmdir()
    assert contents(tmp_path) == {"video/old": "1"}


def test_a_folder_takes_the_place_of_a_file_or_a_link_and_spares_what_it_led_to(tmp_path):
    (tmp_path / "file").write_text("1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "mine").write_text("1")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link", "broken"):
        with atomic_folder(tmp_path / name) as part:
            (part / "a").write_text(name)
    expected = {f"{name}/a": name for name in ("broken", "file", "link")}
    assert contents(tmp_path) == {**expected, "elsewhere/mine": "1"}
    assert len(names_in(tmp_path)) == 4


# Files


@pytest.mark.parametrize("name", NAMES)
def test_a_file_appears_whole_when_its_block_ends(tmp_path, name):
    final = tmp_path / "deep" / name
    with atomic_file(final) as part:
        part.write_text("1")
        assert part.parent == final.parent
        assert not final.exists()
    assert contents(final.parent) == {name: "1"}


def test_a_file_broken_off_leaves_the_old_one(tmp_path):
    final = tmp_path / "a.json"
    with pytest.raises(Stop):
        break_off_file(final)
    assert names_in(tmp_path) == []
    final.write_text("old")
    with pytest.raises(Stop):
        break_off_file(final)
    assert contents(tmp_path) == {"a.json": "old"}
    with atomic_file(final) as part:
        part.write_text("new")
    assert contents(tmp_path) == {"a.json": "new"}


# Leftovers


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("write", [atomic_file, atomic_folder])
def test_what_a_killed_process_left_is_cleared(tmp_path, dead_process, name, write):
    final = tmp_path / name
    folder, file = (leftover_of(final, dead_process) for _ in range(2))
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a").write_text("1")
    file.write_text("1")
    with write(final) as part:
        part.mkdir(exist_ok=True) if write is atomic_folder else part.write_text("2")
    assert names_in(tmp_path) == [name]


@pytest.mark.parametrize("owner", ["own", "parent", "first"])
def test_what_a_living_process_writes_is_left_alone(tmp_path, owner):
    process = {"own": os.getpid(), "parent": os.getppid(), "first": 1}[owner]
    part = leftover_of(tmp_path / "video", process)
    part.mkdir()
    clear_leftovers(tmp_path / "video")
    assert part.is_dir()


@pytest.mark.parametrize(
    "name",
    [
        "video",
        "video.part-1",
        ".video",
        ".video.part-mine",
        ".video.part-1.mp4",
        ".video.part-",
        ".video.part-²-0123abcd",
        ".video.part-99999999999999999999-0123abcd",
        ".video.part-{dead}-notes",
        ".video2.part-{dead}-0123abcd",
        ".other.part-{dead}-0123abcd",
    ],
)
def test_what_we_did_not_leave_for_this_name_is_never_touched(tmp_path, dead_process, name):
    path = tmp_path / name.format(dead=dead_process)
    path.write_text("mine")
    clear_leftovers(tmp_path / "video")
    assert path.read_text() == "mine"


def test_a_leftover_that_is_a_link_is_unlinked_and_not_followed(tmp_path, dead_process):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("1")
    leftover_of(tmp_path / "video", dead_process).symlink_to(tmp_path / "mine")
    clear_leftovers(tmp_path / "video")
    assert contents(tmp_path) == {"mine/a": "1"}
    assert names_in(tmp_path) == ["mine"]


# Formats


VALUES = {"text": "日本\n: #'\"", "none": None, "list": [1, 2.5e-7, True], "1e3": {"a": "on"}}


@pytest.mark.parametrize(
    ("write", "read"), [(write_json, read_json), (write_yaml, read_yaml)], ids=["json", "yaml"]
)
def test_values_come_back(tmp_path, write, read):
    write(tmp_path / "file", VALUES)
    assert read(tmp_path / "file") == VALUES
    assert list(read(tmp_path / "file")) == list(VALUES)
    assert "日本" in (tmp_path / "file").read_text("utf-8")


def test_values_that_json_lacks_leave_the_old_file(tmp_path):
    write_json(tmp_path / "file", 1)
    for value in (float("nan"), np.int64(2), {"a": object()}):
        with pytest.raises((ValueError, TypeError)):
            write_json(tmp_path / "file", value)
    assert contents(tmp_path) == {"file": "1\n"}


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_json, b""),
        (read_json, b"{"),
        (read_json, b"\xff\xfe1"),
        (read_json, b"[" * 100_000),
        (read_json, b"1" * 5000),
        (read_yaml, b"a: [1"),
        (read_yaml, b"\xff\xfe1"),
        (read_yaml, b"a: 2020-99-99"),
        (read_yaml, b"a: !!python/object/apply:os.system ['echo 1']"),
        (read_yaml, b"[" * 1200),
        (read_arrays, b""),
        (read_arrays, b"\xff" * 64),
    ],
)
def test_a_damaged_file_is_named_in_one_line(tmp_path, read, content):
    path = tmp_path / "results"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="delete it and run again") as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("read", [read_json, read_yaml, read_arrays])
def test_a_missing_file_is_said_to_be_missing(tmp_path, read):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "nothing")


def test_arrays_come_back_whatever_their_order_in_memory(tmp_path, rng):
    arrays = {"a": rng.random((3, 4, 5)).transpose(2, 0, 1)[::2], "b": np.arange(4, dtype=np.uint8)}
    write_arrays(tmp_path / "video.safetensors", arrays)
    back = read_arrays(tmp_path / "video.safetensors")
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_failures_are_listed_and_forgotten_when_there_are_none(tmp_path):
    rows = [('a,"b"\n.mp4', "not a video"), ("日本.mp4", "empty"), ("caf\udce9.mp4", "no UTF-8")]
    write_failures(tmp_path / "run", rows)
    with (tmp_path / "run" / "failures.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.reader(file))
    assert read == [["path", "reason"], *map(list, rows[:2]), ["caf\\udce9.mp4", "no UTF-8"]]
    write_failures(tmp_path / "run", [])
    assert names_in(tmp_path / "run") == []
    write_failures(tmp_path / "never made", [])


# Recipes


RECIPE = {"seed": 0, "folds": (1, 2), "flow": {"winsize": 15}, "bound": 20.0}


def test_a_recipe_is_stored_once_and_recognised(tmp_path):
    run = tmp_path / "runs" / "mine"
    keep_recipe(run, RECIPE, overwrite=False)
    (run / "result").write_text("1")
    keep_recipe(run, RECIPE, overwrite=False)
    assert read_yaml(run / "recipe.yaml") == {**RECIPE, "folds": [1, 2]}
    assert (run / "result").read_text() == "1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed: 0 then, 1 now"),
        ({"flow": {"winsize": 9}}, "flow: .*15.* then, .*9.* now"),
        ({"new": True}, "new: None then, True now"),
    ],
)
def test_a_run_of_other_settings_is_refused_and_kept(tmp_path, change, words):
    keep_recipe(tmp_path / "run", RECIPE, overwrite=False)
    (tmp_path / "run" / "result").write_text("1")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=words):
        keep_recipe(tmp_path / "run", {**RECIPE, **change}, overwrite=False)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("stored", ["", "[1]", "1: 2\nseed: 0", "text"])
def test_a_recipe_that_is_no_recipe_counts_as_changed(tmp_path, stored):
    (tmp_path / "recipe.yaml").write_text(stored)
    with pytest.raises(ValueError, match="was made with other settings"):
        keep_recipe(tmp_path, RECIPE, overwrite=False)


def test_overwriting_starts_a_run_again(tmp_path):
    run = tmp_path / "run"
    keep_recipe(run, RECIPE, overwrite=False)
    (run / "deep").mkdir()
    (run / "deep" / "result").write_text("1")
    (tmp_path / "mine").write_text("1")
    (run / "link").symlink_to(tmp_path)
    keep_recipe(run, {"seed": 1}, overwrite=True)
    assert read_yaml(run / "recipe.yaml") == {"seed": 1}
    assert names_in(run) == ["recipe.yaml"]
    assert (tmp_path / "mine").read_text() == "1"


def test_overwriting_takes_a_damaged_recipe_for_a_run(tmp_path):
    (tmp_path / "recipe.yaml").write_text("a: [")
    keep_recipe(tmp_path, RECIPE, overwrite=True)
    assert read_yaml(tmp_path / "recipe.yaml")["seed"] == 0


def test_overwriting_a_run_that_is_a_link_keeps_the_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "disk")
    keep_recipe(tmp_path / "run", RECIPE, overwrite=False)
    (tmp_path / "disk" / "result").write_text("1")
    keep_recipe(tmp_path / "run", {"seed": 1}, overwrite=True)
    assert (tmp_path / "run").is_symlink()
    assert names_in(tmp_path / "disk") == ["recipe.yaml"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("held", ["thesis.tex", "videos/a.mp4", ".git/config", "recipes.yaml"])
def test_a_folder_that_is_no_run_is_never_touched(tmp_path, overwrite, held):
    home = tmp_path / "home"
    (home / held).parent.mkdir(parents=True, exist_ok=True)
    (home / held).write_text("years of work")
    with pytest.raises(ValueError, match=r"home holds .* but no recipe\.yaml, so it is no run"):
        keep_recipe(home, RECIPE, overwrite=overwrite)
    assert contents(home) == {held: "years of work"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_in_the_place_of_the_run_is_kept(tmp_path, overwrite):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(ValueError, match="run is a file"):
        keep_recipe(tmp_path / "run", RECIPE, overwrite=overwrite)
    assert contents(tmp_path) == {"run": "mine"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_empty_folder_becomes_a_run(tmp_path, overwrite):
    keep_recipe(tmp_path, RECIPE, overwrite=overwrite)
    assert names_in(tmp_path) == ["recipe.yaml"]


def test_a_run_killed_before_it_had_a_recipe_does_not_stand_in_the_way(tmp_path, dead_process):
    leftover_of(tmp_path / "recipe.yaml", dead_process).write_text("seed")
    keep_recipe(tmp_path, RECIPE, overwrite=False)
    assert names_in(tmp_path) == ["recipe.yaml"]


def test_a_run_whose_emptying_was_broken_off_is_still_a_run(tmp_path, monkeypatch):
    keep_recipe(tmp_path, RECIPE, overwrite=False)
    for name in ("a", "z", uuid.uuid4().hex):
        (tmp_path / name).mkdir()

    def fail(*_, **__):
        raise PermissionError

    monkeypatch.setattr(store.shutil, "rmtree", fail)
    with pytest.raises(PermissionError):
        keep_recipe(tmp_path, {"seed": 1}, overwrite=True)
    assert read_yaml(tmp_path / "recipe.yaml")["seed"] == 0
