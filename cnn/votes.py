"""Several predictions of one clip go in, one prediction or the loss of all comes out."""

from __future__ import annotations

from torch import Tensor, nn


def vote(predictions: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Join the predictions that a network makes of one clip, as logits of their mean probability.

    Parameters
    ----------
    predictions : Tensor, shape (B, P, K)
        Logits of each prediction: one a time step, or one a level.
    weights : Tensor, shape (P,), optional
        How much each counts; equal by default.

    Returns
    -------
    Tensor, shape (B, K)
        Logarithms of the mean of the P softmax outputs, whose softmax is that mean.
    """
    if weights is None:
        weights = predictions.new_ones(predictions.shape[1])
    shares = (weights / weights.sum()).log()[:, None]  # a share of 0 becomes -inf, and drops out
    return (predictions.float().log_softmax(2) + shares).logsumexp(1)


def vote_loss(
    predictions: Tensor,
    labels: Tensor,
    *,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross-entropy of logits (B, K), or the weighted mean of that of predictions (B, P, K).

    Parameters
    ----------
    predictions : Tensor, shape (B, K) or (B, P, K)
        What a network returns in training.
    labels : Tensor, shape (B,), int64
        True classes.
    weights : Tensor, shape (P,), optional
        How much each of the P predictions counts; equal by default.
    label_smoothing : float
        Probability taken from the true class and spread over all.
    """
    if predictions.ndim == 2:
        predictions = predictions[:, None]
    count = predictions.shape[1]
    losses = nn.functional.cross_entropy(
        predictions.float().flatten(0, 1),
        labels.repeat_interleave(count),
        label_smoothing=label_smoothing,
        reduction="none",
    ).unflatten(0, (-1, count))
    if weights is None:
        return losses.mean()
    return (losses * (weights / weights.sum())).sum(1).mean()
