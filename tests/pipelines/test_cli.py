"""The command line answers at once, refuses nonsense in one line, and never shows a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines import cli

ROOT = Path(__file__).resolve().parents[2]


def run_main(capsys, *words: str) -> tuple[int, str, str]:
    code = cli.main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), "a command is wanted"),
        (("bogus",), "bogus"),
        (("compare",), "data"),
        (("flow",), "export"),
        (("compare", "/does/not/exist"), "/does/not/exist does not exist"),
        (("compare", ".", "--folds", "many"), 'option "folds": expected a whole number'),
        (("compare", ".", "--size", "huge"), "expected one of 'tiny', 'paper'"),
        (("compare", ".", "--protocol", "random"), "leave-one-group-out"),
        (("compare", ".", "--methods", "slow-fusion,deep"), "'deep'"),
        (("compare", ".", "--flods", "3"), "flods"),
        (("compare", ".", "--config", "/no/such.yaml"), "/no/such.yaml"),
        (("flow", "export", "/does/not/exist", "out"), "/does/not/exist does not exist"),
        (("flow", "export", ".", "out", "--layout", "denseflow"), "layout"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(capsys, tmp_path, monkeypatch, words, wanted):
    monkeypatch.chdir(tmp_path)
    code, _, err = run_main(capsys, *words)
    assert code == cli.WRONG_USAGE
    lines = err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("classicvid: ")
    assert wanted in lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_gives_every_option_its_default(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command.split(), "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name in cli.COMMANDS[command].recipe.__dataclass_fields__:
        assert f"--{name}" in text
    assert text.count("default:") >= len(cli.COMMANDS[command].recipe.__dataclass_fields__) - 1


def test_config_file_holds_options_and_print_config_shows_them(capsys, tmp_path):
    config = tmp_path / "options.yaml"
    config.write_text("bound: 12.5\nflow:\n  winsize: 9\n")
    words = ["flow", "export", "in", "out", "--config", str(config), "--quality=80"]
    with pytest.raises(SystemExit):
        cli.main([*words, "--print_config"])
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["bound"], shown["flow"]["winsize"], shown["quality"]) == (12.5, 9, 80)
    assert shown["flow"]["levels"] == 3


def test_a_broken_config_file_is_one_line(capsys, tmp_path):
    config = tmp_path / "options.yaml"
    config.write_text("bound: [1, 2\n")
    code, _, err = run_main(capsys, "flow", "export", "in", "out", "--config", str(config))
    assert code == cli.WRONG_USAGE
    assert len(err.strip().splitlines()) == 1


def test_ctrl_c_says_how_to_go_on(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    command = cli.Command(interrupted, cli.DemoRecipe, "help", {})
    monkeypatch.setitem(cli.COMMANDS, "demo", command)
    code, _, err = run_main(capsys, "demo")
    assert code == cli.STOPPED
    assert "the same command goes on from there" in err


def test_help_is_answered_by_a_fresh_process():
    # That it comes at once is kept by tests/architecture: the command line loads nothing heavy.
    command = [sys.executable, "-m", "pipelines.cli", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert all(name.split()[0] in done.stdout for name in cli.COMMANDS)
