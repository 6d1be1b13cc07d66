"""What a command does, as frozen values: the options of the command line, and the methods."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Protocol = Literal["auto", "leave-one-group-out", "group-k-fold", "split"]


@dataclass(frozen=True)
class Method:
    """A row of the table of results.

    Parameters
    ----------
    kind : {"histograms", "network", "fusion"}
        Feature histograms with a classifier, a network, or an average of other methods' scores.
    sees : {"appearance", "motion", "both"}
        What it can tell classes by; ``appearance`` means that it sees single frames only.
    paper : str
        Where it comes from.
    members : tuple of str
        The methods that a fusion averages.
    """

    kind: Literal["histograms", "network", "fusion"]
    sees: Literal["appearance", "motion", "both"]
    paper: str
    members: tuple[str, ...] = ()


# In the order of the Sports-1M table of Karpathy et al. 2014, then the two streams.
METHODS: dict[str, Method] = {
    "feature-histograms": Method("histograms", "both", "after Karpathy et al. 2014, section 5.1"),
    "single-frame": Method("network", "appearance", "Karpathy et al. 2014"),
    "slow-fusion": Method("network", "both", "Karpathy et al. 2014"),
    "spatial-stream": Method("network", "appearance", "Simonyan and Zisserman 2014"),
    "temporal-stream": Method("network", "motion", "Simonyan and Zisserman 2014"),
    "two-stream": Method(
        "fusion",
        "both",
        "Simonyan and Zisserman 2014, averaged",
        members=("spatial-stream", "temporal-stream"),
    ),
}


@dataclass(frozen=True)
class FlowRecipe:
    """Farnebäck's optical flow, under OpenCV's names and meanings.

    Parameters
    ----------
    pyr_scale : float
        Scale from one pyramid level to the next, above 0 and below 1.
    levels : int
        Pyramid levels below the full size.
    winsize : int
        Averaging window, px.
    iterations : int
        Iterations at each level.
    poly_n : int
        Half width of the polynomial expansion, px.
    poly_sigma : float
        Deviation of the Gaussian that weights the expansion, px.
    gaussian : bool
        Weight the averaging window by a Gaussian in place of a box.
    """

    pyr_scale: float = 0.5
    levels: int = 3
    winsize: int = 15
    iterations: int = 3
    poly_n: int = 5
    poly_sigma: float = 1.2
    gaussian: bool = False


@dataclass(frozen=True)
class FlowExportRecipe:
    """Options of ``classicvid flow export``.

    Parameters
    ----------
    bound : float
        Displacement that is stored as 255 (and its negative as 0), px per frame; larger ones are
        clipped.
    short_side : int
        Shorter side of the images, px, to which frames are resized before the flow is computed; 0
        keeps their size.
    quality : int
        JPEG quality, 1 to 100.
    layout : {"frames"}
        Names of the files: ``<class>/<video>/img_00001.jpg, flow_x_00001.jpg, flow_y_00001.jpg``.
    flow : FlowRecipe
        Parameters of the flow.
    backend : {"processes", "serial"}
        Where the videos are worked on.
    workers : int
        Worker processes; 0 means one a processor core.
    overwrite : bool
        Export again what exists with other settings.
    """

    bound: float = 20.0
    short_side: int = 0
    quality: int = 95
    layout: Literal["frames"] = "frames"
    flow: FlowRecipe = FlowRecipe()
    backend: Literal["processes", "serial"] = "processes"
    workers: int = 0
    overwrite: bool = False


@dataclass(frozen=True)
class CompareRecipe:
    """Options of ``classicvid compare``.

    Parameters
    ----------
    methods : str
        Names of methods with commas between them.
    protocol : {"auto", "leave-one-group-out", "group-k-fold", "split"}
        How videos are shared out between training and testing. ``auto``: the split of videos.csv
        where it has one, else group-k-fold.
    folds : int
        Number of folds of group-k-fold.
    size : {"tiny", "paper"}
        Networks with the published topology that train on a processor in a minute, or with the
        published layers exactly.
    train_steps : int
        Steps of training for each network; 0 means the network's own number.
    flip : bool
        Mirror training clips at random. It helps, except where left and right tell classes apart.
    seed : int
        Where all random numbers start.
    device : {"auto", "cpu", "cuda"}
        Where networks run.
    precision : {"auto", "float32", "bfloat16"}
        Numbers that networks compute in.
    workers : int
        Worker processes that decode videos; 0 means one a processor core.
    runs : str
        Folder of all runs.
    run : str
        Name of this run, a folder in ``runs``; results that exist there are not computed again.
        By default the data's name.
    overwrite : bool
        Delete the run of this name first.
    """

    methods: str = "feature-histograms,single-frame,slow-fusion,two-stream"
    protocol: Protocol = "auto"
    folds: int = 5
    size: Literal["tiny", "paper"] = "tiny"
    train_steps: int = 0
    flip: bool = False
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    workers: int = 0
    runs: str = "runs"
    run: str = ""
    overwrite: bool = False


@dataclass(frozen=True)
class DemoRecipe:
    """Options of ``classicvid demo``.

    Parameters
    ----------
    videos_per_class : int
        Training videos rendered for each class.
    seed : int
        Where all random numbers start.
    runs : str
        Folder of all runs; the demo writes ``<runs>/demo``.
    workers : int
        Worker processes that decode videos; 0 means one a processor core.
    overwrite : bool
        Delete the results of an earlier demo first.
    """

    videos_per_class: int = 60
    seed: int = 0
    runs: str = "runs"
    workers: int = 0
    overwrite: bool = False


def parse_methods(names: str) -> tuple[str, ...]:
    """Split ``a,b,c`` into known methods, in the order of ``METHODS``, each once.

    Raises
    ------
    ValueError
        If a name is unknown or none is given.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in METHODS]
    if unknown or not wanted:
        got = repr(unknown[0]) if unknown else "none"
        message = f"methods must be among {', '.join(METHODS)}; got {got}"
        raise ValueError(message)
    return tuple(name for name in METHODS if name in wanted)


def plain(recipe: Any) -> dict[str, Any]:
    """Return a recipe as nested plain values, for YAML and JSON."""
    return asdict(recipe)
