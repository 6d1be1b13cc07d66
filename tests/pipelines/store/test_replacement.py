"""Results are written, broken off and written again; only whole ones may be found afterwards."""

from __future__ import annotations

import os

import pytest

from pipelines.store import (
    atomic_file,
    atomic_folder,
    clear_leftovers,
)
from tests.pipelines.store.traces import contents, leftover_of, names_in

NAMES = ["video", "a[1]*?.mp4", ".hidden", "日本 語", "x" * 255, "é" * 127]


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
