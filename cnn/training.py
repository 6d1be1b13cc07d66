"""A network and labelled videos go in, the trained network comes out: one loop for all."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from cnn.checkpoints import load_state, save_state
from cnn.clips import ClipSource, clips_on, random_positions
from cnn.devices import Share, choose_precision, joined, lowered
from cnn.models import Network
from cnn.settings import TrainingConfig, learning_rate_at, round_length, step_count
from cnn.votes import vote_loss

LOG_FILE = "log.jsonl"


@dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    Parameters
    ----------
    steps : int
        Steps done in all, those before a resumption counted.
    seconds : float
        Time spent on them.
    log : list of dict
        The lines of log.jsonl: step, loss, hit_at_1 (of training clips), learning_rate, seconds.
    """

    steps: int
    seconds: float
    log: list[dict[str, float]] = field(repr=False)


def train(
    model: Network,
    source: ClipSource,
    config: TrainingConfig,
    *,
    folder: str | Path | None = None,
    report: Callable[[int, int, float], None] | None = None,
) -> TrainingResult:
    """Train a network on one random clip after another; where a state is saved, go on from it.

    Every random draw is a function of (seed, step), so that a resumed training ends with the
    weights of an uninterrupted one, bit for bit on a CPU. Under torchrun each process computes
    its share of the same batches, and process 0 writes.

    Parameters
    ----------
    model : Network
        From :func:`cnn.build_model`; trained in place and left on its device, in evaluation mode.
    source : ClipSource
        Training videos, as ``model.config.input`` wants them.
    config : TrainingConfig
        How to train.
    folder : path, optional
        Made if absent; gets log.jsonl and training.safetensors, and is resumed from.
    report : callable, optional
        Called with (steps done, steps in all, loss) at every line of the log, in process 0.

    Returns
    -------
    TrainingResult
        Steps, seconds and log.

    Raises
    ------
    ValueError
        If the videos do not fit the network, a batch cannot be shared evenly between the
        processes, the folder holds the state of another training, or the loss is not finite.

    Notes
    -----
    Under torchrun each process draws its own dropout, and batch normalisation sees the share of
    its process, so that the weights depend a little on the number of processes.
    """
    source.check_fits(model.config.input)
    if len(source.classes) != model.config.classes:
        message = (
            f"the network tells {model.config.classes} classes apart, "
            f"the videos have {len(source.classes)}"
        )
        raise ValueError(message)
    with joined(config.device) as share:
        if config.batch_size % share.world:
            message = (
                f"batch_size must be a multiple of the {share.world} processes, "
                f"got {config.batch_size}"
            )
            raise ValueError(message)
        return _Training(model.to(share.device), source, config, share, folder, report).run()


def training_rows(
    labels: NDArray[np.int64], config: TrainingConfig, *, start: int, count: int
) -> NDArray[np.int64]:
    """Rows of the videos number ``start`` to ``start + count`` in the order of training.

    The order consists of rounds, each a new shuffle of all videos; where ``balanced``, the
    videos of smaller classes come several times in a round, until all classes come equally often.
    """
    groups = [np.arange(len(labels))]
    if config.balanced:
        groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    length = round_length(labels, config)
    longest = length // len(groups)
    rows: list[NDArray[np.int64]] = []
    for number in range(start // length, (start + count - 1) // length + 1):
        rng = np.random.default_rng((config.seed, number, 0))
        rounds = [_repeated_shuffle(group, longest, rng) for group in groups]
        rows.append(rng.permutation(np.concatenate(rounds)))
    offset = start % length
    return np.concatenate(rows)[offset : offset + count]


class _Training:
    """State of one call of :func:`train`, so that its parts need no long parameter lists."""

    def __init__(
        self,
        model: Network,
        source: ClipSource,
        config: TrainingConfig,
        share: Share,
        folder: str | Path | None,
        report: Callable[[int, int, float], None] | None,
    ) -> None:
        self.model, self.source, self.config, self.share = model, source, config, share
        self.folder = None if folder is None else Path(folder)
        self.report = report
        self.spec = model.config.input
        self.steps = step_count(config, source.labels)
        self.optimiser = _optimiser(model, config)
        self.precision = choose_precision(config.precision, share.device)
        self.log: list[dict[str, float]] = []

    def run(self) -> TrainingResult:
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
        done, spent = self._resume()
        began = time.perf_counter() - spent
        losses, hits = [], []
        network = self._wrapped()
        for step in range(done, self.steps):
            loss, hit = self._step(network, step)
            losses.append(loss)
            hits.append(hit)
            finished = step + 1
            if finished % self.config.log_every == 0 or finished == self.steps:
                self._write_log(finished, losses, hits, time.perf_counter() - began)
                losses, hits = [], []
            if finished == self.steps or (
                self.config.save_every and finished % self.config.save_every == 0
            ):
                self._save(finished, time.perf_counter() - began)
        self.model.eval()
        return TrainingResult(self.steps, time.perf_counter() - began, self.log)

    def _step(self, network: nn.Module, step: int) -> tuple[Tensor, Tensor]:
        clips, labels = self._batch(step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(self.config, step, self.steps)
        device = self.share.device
        with (
            _seeded((self.config.seed, step, 2 + self.share.rank), device),
            lowered(self.precision, device),
        ):
            logits = network(clips)
        loss = vote_loss(
            logits,
            labels,
            weights=getattr(self.model, "vote_weights", None),
            label_smoothing=self.config.label_smoothing,
        )
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.optimiser.step()
        # The network made one prediction of a clip, (B, K), or several, (B, P, K).
        hits = logits.detach().argmax(-1).movedim(0, -1) == labels
        return loss.detach(), hits.float().mean()

    def _batch(self, step: int) -> tuple[Tensor, Tensor]:
        size, device = self.config.batch_size, self.share.device
        rows = training_rows(self.source.labels, self.config, start=step * size, count=size)
        rng = np.random.default_rng((self.config.seed, step, 1))
        drawn = random_positions(self.source, rows, self.spec, rng=rng, flip=self.config.flip)
        part = drawn[self.share.rank :: self.share.world]
        labels = torch.from_numpy(self.source.labels[part.videos]).to(device)
        return clips_on(device, self.source, self.spec, part), labels

    def _wrapped(self) -> nn.Module:
        self.model.train()
        if self.share.world == 1:
            return self.model
        index = self.share.device.index
        return DistributedDataParallel(self.model, device_ids=None if index is None else [index])

    def _resume(self) -> tuple[int, float]:
        if self.folder is None:
            return 0, 0.0
        progress = load_state(
            self.folder, self.model, self.optimiser, training=self._identity()
        ) or {"step": 0, "seconds": 0.0}
        self.log = _kept_log(self.folder / LOG_FILE, until=progress["step"])
        if self.share.rank == 0:
            lines = "".join(json.dumps(line) + "\n" for line in self.log)
            (self.folder / LOG_FILE).write_text(lines, encoding="utf-8")
        return progress["step"], progress["seconds"]

    def _save(self, step: int, seconds: float) -> None:
        if self.folder is not None and self.share.rank == 0:
            progress = {"step": step, "seconds": seconds, "training": self._identity()}
            save_state(self.folder, self.model, self.optimiser, progress=progress)

    def _identity(self) -> dict[str, Any]:
        values = asdict(self.config)
        for name in ("device", "precision", "log_every", "save_every"):
            del values[name]  # these may change on the way
        return json.loads(json.dumps(values))

    def _write_log(
        self, step: int, losses: list[Tensor], hits: list[Tensor], seconds: float
    ) -> None:
        means = torch.stack([torch.stack(losses).mean(), torch.stack(hits).mean()])
        if self.share.world > 1:
            distributed.all_reduce(means)
            means /= self.share.world
        loss, hit = means.tolist()
        if not np.isfinite(loss):
            message = f"the loss is {loss} at step {step}: lower the learning rate"
            raise ValueError(message)
        line = {
            "step": step,
            "loss": loss,
            "hit_at_1": hit,
            "learning_rate": learning_rate_at(self.config, step - 1, self.steps),
            "seconds": round(seconds, 3),
        }
        self.log.append(line)
        if self.share.rank == 0:
            if self.folder is not None:
                with (self.folder / LOG_FILE).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            if self.report is not None:
                self.report(step, self.steps, loss)


def _optimiser(model: Network, config: TrainingConfig) -> torch.optim.Optimizer:
    weights, rate, decay = model.parameters(), config.learning_rate, config.weight_decay
    if config.optimiser == "sgd":
        return torch.optim.SGD(weights, lr=rate, momentum=config.momentum, weight_decay=decay)
    betas = (config.momentum, 0.999)
    return torch.optim.AdamW(weights, lr=rate, betas=betas, weight_decay=decay)


@contextmanager
def _seeded(key: tuple[int, ...], device: torch.device) -> Iterator[None]:
    """Start torch's random numbers from ``key`` and give the caller's back afterwards."""
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _repeated_shuffle(
    rows: NDArray[np.int64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Whole shuffles of ``rows`` one after another, ``count`` in all."""
    repeats = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(repeats)])[:count]


def _kept_log(path: Path, *, until: int) -> list[dict[str, float]]:
    """Lines of a log up to a step; an interrupted last line is dropped."""
    kept = []
    if path.is_file():
        for text in path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            if line["step"] <= until:
                kept.append(line)
    return kept
