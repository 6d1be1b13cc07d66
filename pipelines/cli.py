"""Words of a command line go in; the command runs, says what it did, and gives an exit code."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from pipelines.recipes import (
    METHODS,
    CompareRecipe,
    DemoRecipe,
    FeaturesRecipe,
    FlowExportRecipe,
)

DONE, SOME_FAILED, WRONG_USAGE, STOPPED = 0, 1, 2, 130

_KINDS = {
    "int": "expected a whole number",
    "float": "expected a finite number",
    "bool": "expected true or false",
}

DESCRIPTION = """\
Does your folder of videos need motion, and which kind of model pays? Tracks key points, computes
and exports optical flow, and compares classical features with networks in one table."""


@dataclass(frozen=True)
class Command:
    """A verb of the command line: its arguments, its options and what it calls."""

    call: Callable[..., int]
    recipe: type
    help: str
    arguments: Mapping[str, str]


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return 0 all done, 1 some videos failed, 2 wrong usage, 130 stopped."""
    try:
        command, arguments, recipe = _parse(sys.argv[1:] if words is None else list(words))
        return command.call(*arguments, recipe)
    except KeyboardInterrupt as stop:
        text = str(stop) or "what is done is kept"
        return _refuse(f"stopped: {text}; the same command goes on from there", STOPPED)
    except BrokenPipeError:
        # The reader of our output has gone (`classicvid ... | head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (ArgumentError, ValueError, TypeError, OSError) as error:
        return _refuse(_one_line(error), WRONG_USAGE)


def demo(recipe: DemoRecipe) -> int:
    """Compare methods on two sample sets of our own making."""
    from pipelines import demo as stage  # noqa: PLC0415 - help must not wait for numba

    _tell("Two sample sets of little videos are rendered, and methods compared on both: some two")
    _tell("minutes on two cores. What exists is kept; run again, this only prints.")
    failed = False
    for kind, text in stage.SAMPLE_SETS.items():
        comparison = stage.run(kind, recipe)
        _tell(f"\n{kind}: {text}\n")
        _tell_comparison(comparison)
        failed |= bool(comparison.failures)
    return SOME_FAILED if failed else DONE


def compare(data: str, recipe: CompareRecipe) -> int:
    """Compare methods on a labelled folder of videos."""
    from pipelines import compare as stage  # noqa: PLC0415 - help must not wait for numba

    comparison = stage.run(data, recipe)
    _tell_comparison(comparison)
    return SOME_FAILED if comparison.failures else DONE


def flow_export(source: str, out: str, recipe: FlowExportRecipe) -> int:
    """Write the frames and the flow images of every video."""
    from pipelines import flow_export as stage  # noqa: PLC0415 - help must not wait for numba

    summary = stage.run(source, out, recipe)
    _tell(summary.text())
    _warn_of_failures(summary.failures, f"{out}/failures.csv")
    return SOME_FAILED if summary.failures else DONE


def features(source: str, out: str, recipe: FeaturesRecipe) -> int:
    """Find trajectories or interest points in every video, and store or draw them."""
    from pipelines import feature_export as stage  # noqa: PLC0415 - help must not wait for numba

    if out == "-":
        failure = stage.print_rows(source, recipe, sys.stdout)
        if failure:
            _warn(f"failed: {source}: {failure}")
        return SOME_FAILED if failure else DONE
    summary = stage.run(source, out, recipe)
    _tell(summary.text())
    _warn_of_failures(summary.failures, f"{out}/failures.csv")
    return SOME_FAILED if summary.failures else DONE


COMMANDS: dict[str, Command] = {
    "demo": Command(demo, DemoRecipe, "compare methods on two sample sets of our own making", {}),
    "flow export": Command(
        flow_export,
        FlowExportRecipe,
        "write frames and optical flow as images",
        {
            "source": "folder of class folders of videos, folder of videos, CSV, or a video",
            "out": "folder to write <class>/<video>/ into",
        },
    ),
    "features": Command(
        features,
        FeaturesRecipe,
        "find trajectories or interest points, store or draw them",
        {
            "source": "folder of class folders of videos, folder of videos, CSV, or a video",
            "out": "folder to write <class>/<video>.safetensors into, or - to print rows (idt)",
        },
    ),
    "compare": Command(
        compare,
        CompareRecipe,
        f"train and compare methods on your videos: {', '.join(METHODS)}",
        {"data": "folder of class folders of videos, or CSV path,label[,group][,split]"},
    ),
}
GROUPS = {"flow": "export optical flow as images"}


def _parse(words: list[str]) -> tuple[Command, list[Any], Any]:
    parser = _build_parser()
    if not words:
        parser.print_help()
        message = f"a command is wanted: one of {', '.join(COMMANDS)}"
        raise ValueError(message)
    parsed = parser.parse_args(words)
    name, options = parsed.command, parsed[parsed.command]
    if name in GROUPS:
        name, options = f"{name} {options.action}", options[options.action]
    command = COMMANDS[name]
    return command, [options[key] for key in command.arguments], _build(command.recipe, options)


def _build_parser() -> ArgumentParser:
    parser = ArgumentParser(prog="classicvid", description=DESCRIPTION, exit_on_error=False)
    places = {"": parser.add_subcommands(required=True, dest="command", metavar="command")}
    for name, text in GROUPS.items():
        group = ArgumentParser(description=text, exit_on_error=False)
        places[""].add_subcommand(name, group, help=text)
        places[name] = group.add_subcommands(required=True, dest="action", metavar="action")
    for name, command in COMMANDS.items():
        group_name, _, verb = name.rpartition(" ")
        places[group_name].add_subcommand(verb, _command_parser(command), help=command.help)
    return parser


def _command_parser(command: Command) -> ArgumentParser:
    parser = ArgumentParser(description=command.call.__doc__, exit_on_error=False)
    parser.add_argument("--config", action="config", help="YAML file that holds options")
    for name, text in command.arguments.items():
        parser.add_argument(name, type=str, help=text)
    parser.add_class_arguments(command.recipe, as_group=False)
    return parser


def _build(recipe: type, options: Namespace) -> Any:
    """Build a recipe, and the recipes inside it, from parsed options."""
    values = {}
    for item in fields(recipe):
        value = options[item.name]
        default = getattr(recipe, item.name, None)
        values[item.name] = _build(type(default), value) if is_dataclass(default) else value
    return recipe(**values)


def _tell_comparison(comparison: Any) -> None:
    from pipelines.tables import format_table  # noqa: PLC0415 - loaded with the results

    _tell(format_table(comparison.metrics, chance=comparison.verdict.chance))
    _tell(f"\nProtocol: {comparison.protocol}.")
    _tell(comparison.verdict.sentence)
    _tell(f"Report: {comparison.folder / 'report.html'}")
    failures = list(comparison.failures.items())
    _warn_of_failures(failures, str(comparison.folder / "failures.csv"))


def _warn_of_failures(failures: Sequence[tuple[str, str]], table: str) -> None:
    if not failures:
        return
    for path, reason in failures[:20]:
        _warn(f"failed: {path}: {reason}")
    if len(failures) > 20:
        _warn(f"... and {len(failures) - 20} more")
    _warn(f"{len(failures)} videos failed; all are listed in {table}")


def _refuse(text: str, code: int) -> int:
    _warn(f"classicvid: {text}")
    return code


def _one_line(error: Exception) -> str:
    """Say in a line what jsonargparse or the system says in several, without Python's types."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror and error.filename:
        text = f"{error.filename}: {error.strerror}"
    text = text.replace("Parser key ", "option ")
    text = re.sub(r"Expected a typing.Literal\[(.*?)\]", r"expected one of \1", text)
    return re.sub(r"Expected a <class '(\w+)'>", lambda kind: _KINDS.get(kind[1], kind[0]), text)


def _tell(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
