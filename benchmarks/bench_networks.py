"""Random clips go in; speed of our networks beside torchvision's and the usual loop comes out."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
import torchvision
from machine import processor
from torch import Tensor, nn
from torchvision.models import video

import cnn
from cnn.devices import choose_precision, lowered
from cnn.models.ballas import ConvGru
from cnn.votes import vote_loss

CPU = torch.device("cpu")
# Batch, maps of the input, maps of the state, side: the levels of GRU-RCN that have one.
LEVELS = {
    "tiny, 1st level": (16, 16, 16, 28),
    "tiny, 2nd level": (16, 32, 16, 14),
    "tiny, 3rd level": (16, 32, 32, 7),
    "paper, pool2": (1, 128, 64, 56),
    "paper, pool3": (1, 256, 128, 28),
    "paper, pool4": (1, 512, 256, 14),
    "paper, pool5": (1, 512, 256, 7),
}
STEPS = 10
# Clips of a batch: those of torchvision's and our paper networks are large.
TINY_BATCH, PAPER_BATCH = 16, 1
PAPER = ("r3d-18", "r2plus1d-18")
MORE_PAPER = ("c3d", "cnn3d-lstm", "gru-rcn")

Call = Callable[[], Any]


def main() -> None:
    """Print a row a case: medians, ratios, clips a second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3, help="runs of each case (3)")
    parser.add_argument(
        "--paper",
        action="store_true",
        help="also all units of paper size in equal precision, and c3d, cnn3d-lstm and gru-rcn",
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    auto = choose_precision("auto", CPU)
    print(
        f"{processor()}, {os.cpu_count()} cores, {options.threads} thread(s); torch "
        f"{torch.__version__}, torchvision {torchvision.__version__}, Python "
        f"{platform.python_version()}; precision 'auto' is {str(auto).removeprefix('torch.')} here"
    )
    race_units(options.turns, auto, paper=options.paper)
    race_networks(options.turns, auto, paper=options.paper)


def race_units(turns: int, auto: torch.dtype, *, paper: bool) -> None:
    """Print our recurrent unit beside the usual loop, in equal precision and as each would run.

    Units of paper size only as each would run, unless ``paper`` asks for more.
    """
    print(f"\nGRU-RCN's unit over {STEPS} steps, medians of {turns} runs in turns")
    print(
        f"{'case':34}{'loop':>10}{'ours':>10}{'loop ms':>10}{'ours ms':>10}{'times':>7}{'apart':>9}"
    )
    pairs = ((torch.float32, torch.float32), (auto, auto), (torch.float32, auto))
    for theirs, precision in dict.fromkeys(pairs):
        for label, (batch, channels, width, side) in LEVELS.items():
            if not paper and label.startswith("paper") and (theirs, precision) != pairs[-1]:
                continue
            torch.manual_seed(0)
            ours = ConvGru(channels, width)
            usual = UsualLoop(ours)
            maps = torch.randn(STEPS, batch, channels, side, side)
            for kind, call in (("inference", infer), ("training", learn)):
                times = race(
                    partial(call, usual, maps, theirs),
                    partial(call, ours, maps, precision),
                    turns=turns,
                )
                with torch.inference_mode():
                    with lowered(precision, CPU):
                        states = ours(maps)
                    with lowered(theirs, CPU):
                        error = (states - usual(maps)).abs().max().item()
                names = [str(dtype).removeprefix("torch.") for dtype in (theirs, precision)]
                print(
                    f"{label + ', ' + kind:34}{names[0]:>10}{names[1]:>10}{times[0]:10.2f}"
                    f"{times[1]:10.2f}{times[0] / times[1]:7.2f}{error:9.0e}",
                    flush=True,
                )


def race_networks(turns: int, auto: torch.dtype, *, paper: bool) -> None:
    """Print clips a second of all tiny networks and some of paper size, torchvision's beside."""
    print(f"\nClips a second, medians of {turns} runs; torchvision's plainly in float32")
    print(f"{'network':34}{'inference':>12}{'training':>12}")
    for name, builder in (("r3d_18", video.r3d_18), ("r2plus1d_18", video.r2plus1d_18)):
        network = builder(weights=None, num_classes=101)
        clips = torch.randn(PAPER_BATCH, 3, 16, 112, 112)
        print_speed(f"torchvision {name}", network, clips, torch.float32, turns)
    large = (*PAPER, *MORE_PAPER) if paper else PAPER
    for size, names, batch in (("paper", large, PAPER_BATCH), ("tiny", cnn.MODELS, TINY_BATCH)):
        for name in names:
            network = cnn.build_model(name, classes=101, size=size)
            channels, frames, height, width = network.config.input.clip_shape
            clips = torch.randn(batch, frames, height, width, channels).permute(0, 4, 1, 2, 3)
            print_speed(f"{name}, {size}", network, clips, auto, turns)


def print_speed(
    label: str, network: nn.Module, clips: Tensor, precision: torch.dtype, turns: int
) -> None:
    """Time one network alone and print its clips a second."""
    speeds = []
    for call in (infer, learn):
        call(network, clips, precision)
        times = [timed(partial(call, network, clips, precision)) for _ in range(turns)]
        speeds.append(len(clips) / median(times))
    print(f"{label:34}{speeds[0]:12.2f}{speeds[1]:12.2f}", flush=True)


class UsualLoop(nn.Module):
    """The unit as it is usually written: at each step six convolutions, one a gate and operand."""

    def __init__(self, unit: ConvGru) -> None:
        super().__init__()
        width = unit.candidate.out_channels
        inputs, gates = unit.inputs.weight.split(width), unit.gates.weight.split(width)
        self.of_input = nn.ModuleList(_convolution(part) for part in inputs)
        self.of_state = nn.ModuleList(
            _convolution(part) for part in (*gates, unit.candidate.weight)
        )
        self.width = width

    def forward(self, maps: Tensor) -> Tensor:
        """Return the states (T, B, width, H, W) of maps (T, B, channels, H, W)."""
        state = maps.new_zeros(maps.shape[1], self.width, *maps.shape[3:])
        states = []
        for x in maps:
            z = torch.sigmoid(self.of_input[0](x) + self.of_state[0](state))
            r = torch.sigmoid(self.of_input[1](x) + self.of_state[1](state))
            c = torch.tanh(self.of_input[2](x) + self.of_state[2](r * state))
            state = (1 - z) * state + z * c
            states.append(state)
        return torch.stack(states)


def _convolution(weights: Tensor) -> nn.Conv2d:
    width, channels, side, _ = weights.shape
    convolution = nn.Conv2d(channels, width, side, padding=side // 2, bias=False)
    convolution.weight = nn.Parameter(weights.detach().clone())
    return convolution


def infer(network: nn.Module, clips: Tensor, precision: torch.dtype) -> None:
    """Run forward."""
    network.eval()
    with torch.inference_mode(), lowered(precision, CPU):
        network(clips)


def learn(network: nn.Module, clips: Tensor, precision: torch.dtype) -> None:
    """Run forward and backward."""
    network.train()
    network.zero_grad(set_to_none=True)
    with lowered(precision, CPU):
        found = network(clips)
    if found.ndim > 3:
        found[-1].float().square().sum().backward()  # a unit's last state
    else:
        vote_loss(found, torch.zeros(len(clips), dtype=torch.int64)).backward()


def race(theirs: Call, ours: Call, *, turns: int) -> tuple[float, float]:
    """Return both medians in milliseconds; the runs take turns, so that other load strikes both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    theirs(), ours()
    for _ in range(turns):
        for call, times in zip((theirs, ours), seconds, strict=True):
            times.append(timed(call))
    return 1e3 * median(seconds[0]), 1e3 * median(seconds[1])


def timed(call: Call) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
