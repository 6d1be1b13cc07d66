"""What a command does, as frozen values: the options of the command line, and the methods."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Protocol = Literal["auto", "leave-one-group-out", "group-k-fold", "split"]
FeatureKind = Literal["trajectories", "improved-trajectories", "stip", "cuboids", "histograms"]


@dataclass(frozen=True)
class Method:
    """A row of the table of results.

    Parameters
    ----------
    kind : {"histograms", "encoding", "network", "fusion"}
        Feature histograms with a classifier, encoded local features with a support vector
        machine, a network, or other methods' scores brought together.
    sees : {"appearance", "motion", "both"}
        What it can tell classes by; ``appearance`` means that it sees single frames only.
    paper : str
        Where it comes from.
    members : tuple of str
        The methods whose scores a fusion brings together.
    fusion : {"average", "svm"}
        By their mean, or by a linear support vector machine that is trained on their scores.
    weights : tuple of float
        The share of each member in the mean; equal shares where there are none.
    """

    kind: Literal["histograms", "encoding", "network", "fusion"]
    sees: Literal["appearance", "motion", "both"]
    paper: str
    members: tuple[str, ...] = ()
    fusion: Literal["average", "svm"] = "average"
    weights: tuple[float, ...] = ()


_STREAMS = ("spatial-stream", "temporal-stream")

# Classical methods first, then in the order of the Sports-1M table of Karpathy et al. 2014, then
# the two streams, networks in space and time, and recurrent ones.
METHODS: dict[str, Method] = {
    "feature-histograms": Method("histograms", "both", "after Karpathy et al. 2014, section 5.1"),
    "cuboids-bof": Method("encoding", "both", "Dollár et al. 2005; Wang et al. 2009"),
    "stip-bof": Method("encoding", "both", "Laptev 2005; Wang et al. 2009"),
    "trajectories-bof": Method("encoding", "both", "Wang et al. 2011 and 2013"),
    "trajectories-fisher": Method("encoding", "both", "Wang and Schmid 2013"),
    "alexnet": Method("network", "appearance", "Krizhevsky et al. 2012"),
    "alexnet-video": Method("network", "both", "Krizhevsky et al. 2012, extended in time"),
    "single-frame": Method("network", "appearance", "Karpathy et al. 2014"),
    "multires": Method("network", "appearance", "Karpathy et al. 2014"),
    "fovea-only": Method("network", "appearance", "Karpathy et al. 2014"),
    "context-only": Method("network", "appearance", "Karpathy et al. 2014"),
    "early-fusion": Method("network", "both", "Karpathy et al. 2014"),
    "late-fusion": Method("network", "both", "Karpathy et al. 2014"),
    "slow-fusion": Method("network", "both", "Karpathy et al. 2014"),
    "cnn-average": Method(
        "fusion",
        "both",
        "Karpathy et al. 2014, averaged",
        members=("single-frame", "early-fusion", "late-fusion", "slow-fusion"),
    ),
    "spatial-stream": Method("network", "appearance", "Simonyan and Zisserman 2014"),
    "temporal-stream": Method("network", "motion", "Simonyan and Zisserman 2014"),
    "temporal-stream-trajectories": Method("network", "motion", "Simonyan and Zisserman 2014"),
    "temporal-stream-bidirectional": Method("network", "motion", "Simonyan and Zisserman 2014"),
    "two-stream": Method(
        "fusion", "both", "Simonyan and Zisserman 2014, averaged", members=_STREAMS
    ),
    "two-stream-weighted": Method(
        "fusion",
        "both",
        "Simonyan and Zisserman 2014, shares of Donahue et al. 2015",
        members=_STREAMS,
        weights=(1 / 3, 2 / 3),
    ),
    "two-stream-svm": Method(
        "fusion", "both", "Simonyan and Zisserman 2014, fused", members=_STREAMS, fusion="svm"
    ),
    "two-stream-conv": Method("network", "both", "Feichtenhofer et al. 2016, table 1"),
    "two-stream-3d": Method("network", "both", "Feichtenhofer et al. 2016"),
    "spatial-backbone": Method("network", "appearance", "torchvision; Wang et al. 2016"),
    "temporal-backbone": Method("network", "motion", "torchvision; Wang et al. 2016"),
    "ji-3d": Method("network", "both", "Ji et al. 2013"),
    "c3d": Method("network", "both", "Tran et al. 2015"),
    "r3d-18": Method("network", "both", "Tran et al. 2018"),
    "mc3-18": Method("network", "both", "Tran et al. 2018"),
    "r2plus1d-18": Method("network", "both", "Tran et al. 2018"),
    "cnn3d-lstm": Method("network", "both", "Baccouche et al. 2011"),
    "lrcn": Method("network", "both", "Donahue et al. 2015"),
    "lrcn-flow": Method("network", "motion", "Donahue et al. 2015"),
    # It looks at many frames, but each by itself, and forgets their order.
    "conv-pooling": Method("network", "appearance", "Ng et al. 2015"),
    "deep-lstm": Method("network", "both", "Ng et al. 2015"),
    "gru-rcn": Method("network", "both", "Ballas et al. 2016"),
    "gru-rcn-stacked": Method("network", "both", "Ballas et al. 2016"),
    "gru-rcn-bidirectional": Method("network", "both", "Ballas et al. 2016"),
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
class TrajectoryRecipe:
    """How dense and improved trajectories are found.

    Parameters
    ----------
    tracking : {"flow", "lucas-kanade"}
        Follow the median-filtered dense flow, or seek each point there and back by Lucas-Kanade.
    length : int
        Steps of a trajectory, in frames, a multiple of 3.
    stride : int
        Distance between points that are sampled, px of each scale.
    scales : int
        Number of scales at most, each smaller by the root of 2.
    patch : int
        Side of the square around a point that is described, px of each scale.
    quality : float
        Scale of the weakest corner that is followed, as a share of the strongest.
    min_flow : float
        Motion that counts as rest, px per frame.
    matcher : {"orb", "sift"}
        What finds the camera's motion of improved trajectories, beside corners and flow.
    """

    tracking: Literal["flow", "lucas-kanade"] = "flow"
    length: int = 15
    stride: int = 5
    scales: int = 8
    patch: int = 32
    quality: float = 0.001
    min_flow: float = 0.4
    matcher: Literal["orb", "sift"] = "orb"


@dataclass(frozen=True)
class FeaturesRecipe:
    """Options of ``classicvid features``.

    Parameters
    ----------
    kind : {"trajectories", "improved-trajectories", "stip", "cuboids", "histograms"}
        Dense trajectories, the same without the camera's motion, Harris corners in space and time,
        points of periodic motion, or histograms of whole videos.
    format : {"safetensors", "idt", "idt.gz"}
        Arrays, or the rows of 436 columns that the authors of trajectories print, as text or
        compressed.
    dtype : {"float16", "float32"}
        Numbers that descriptors are stored in; positions are float32 in any case, and so are
        histograms of whole videos.
    short_side : int
        Frames whose shorter side is longer are reduced to it, px; 0 keeps their size.
    people : str
        Boxes of people, in the format of the authors of improved trajectories, where no camera
        motion is sought: a file for one video, else a folder of <class>/<video>.txt.
    overlay : str
        Also draw the trajectories on the video: a file such as out.mp4 for one video, else a
        folder that gets <class>/<video>.mp4.
    trajectories : TrajectoryRecipe
        Parameters of the trajectories.
    backend : {"processes", "serial"}
        Where the videos are worked on.
    workers : int
        Worker processes; 0 means one a processor core.
    overwrite : bool
        Export again what exists with other settings.
    """

    kind: FeatureKind = "trajectories"
    format: Literal["safetensors", "idt", "idt.gz"] = "safetensors"
    dtype: Literal["float16", "float32"] = "float16"
    short_side: int = 0
    people: str = ""
    overlay: str = ""
    trajectories: TrajectoryRecipe = TrajectoryRecipe()
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
