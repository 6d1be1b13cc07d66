"""Cached videos go in; trained networks and their Scores come out.

A network is built by name, told what to be fed by its ``config.input``, trained by one loop and
scored by one protocol:

>>> model = build_model("slow-fusion", classes=7)  # doctest: +SKIP
>>> train(model, source, training_defaults("slow-fusion", size="tiny"))  # doctest: +SKIP
>>> scores = score(model, test, evaluation_defaults("slow-fusion", size="tiny"))  # doctest: +SKIP
"""

from cnn.checkpoints import STATE_FILE, load_model, save_model
from cnn.clips import ClipSource
from cnn.devices import choose_device
from cnn.evaluation import Evaluation, EvaluationConfig, evaluate, evaluation_defaults, score
from cnn.models import MODELS, InputSpec, build_model, input_spec
from cnn.settings import TrainingConfig, training_defaults
from cnn.training import TrainingResult, train

__all__ = [
    "MODELS",
    "STATE_FILE",
    "ClipSource",
    "Evaluation",
    "EvaluationConfig",
    "InputSpec",
    "TrainingConfig",
    "TrainingResult",
    "build_model",
    "choose_device",
    "evaluate",
    "evaluation_defaults",
    "input_spec",
    "load_model",
    "save_model",
    "score",
    "train",
    "training_defaults",
]
