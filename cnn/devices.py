"""The environment that torchrun sets goes in, this process's share of the work comes out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from classicvid.checks import check_choice


@dataclass(frozen=True)
class Share:
    """Which part of every batch is this process's, and where it computes.

    Parameters
    ----------
    rank, world : int
        This process and the number of processes; process 0 writes the files.
    device : torch.device
        Where this process computes.
    """

    rank: int
    world: int
    device: torch.device


@contextmanager
def joined(device: str) -> Iterator[Share]:
    """Join the processes that torchrun started, if it did, and leave them at the end.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto": a GPU where there is one. Under torchrun each process takes the GPU of its local
        rank.

    Raises
    ------
    ValueError
        If a GPU is asked for and there is none.
    """
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    where = choose_device(device, index=local_rank)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    ours = world > 1 and not distributed.is_initialized()
    if ours:
        distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        if world > 1:
            yield Share(distributed.get_rank(), distributed.get_world_size(), where)
        else:
            yield Share(0, 1, where)
    finally:
        if ours:
            distributed.destroy_process_group()


def choose_device(device: str, *, index: int = 0) -> torch.device:
    """Return the device of this name, "auto" being a GPU where there is one."""
    check_choice("device", device, ("auto", "cpu", "cuda"))
    if device == "cuda" and not torch.cuda.is_available():
        message = "device is 'cuda' but torch sees no GPU here: use 'cpu' or 'auto'"
        raise ValueError(message)
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", index)


def choose_precision(precision: str, device: torch.device) -> torch.dtype:
    """Return the type of the arithmetic in convolutions and matrix products.

    "auto" is bfloat16 where the processor has units for it (GPUs since 2020, CPUs with AMX).
    """
    check_choice("precision", precision, ("auto", "float32", "bfloat16"))
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = getattr(torch.cpu, "_is_amx_tile_supported", bool)()
    return torch.bfloat16 if fast else torch.float32


def lowered(precision: torch.dtype, device: torch.device) -> torch.autocast:
    """Context in which convolutions and matrix products are computed in this precision."""
    return torch.autocast(device.type, precision, enabled=precision is not torch.float32)
