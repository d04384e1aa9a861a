"""Accuracy of a linear classifier of codes, trained after the autoencoder or along with it."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from typing_extensions import override

from interpreg import _checks
from interpreg._extras import optional_import
from interpreg.metrics import _codes


def linear_probe(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """Accuracy of a linear classifier on frozen codes: the share of ``test_labels`` it predicts, in [0, 1].

    A multinomial logistic regression (L2 of strength 1, scikit-learn's default) on flattened codes, each
    dimension standardised on the training codes. Deterministic, trained to convergence, after the autoencoder;
    the papers train a single layer in tandem with it instead (ACAI, section 4.1): :class:`OnlineProbe`.

    Args:
        codes, test_codes: ``[n, ...]`` and ``[m, ...]``, floating point.
        labels, test_labels: ``[n]`` and ``[m]``, whole numbers; every test class is in ``labels``.

    Raises:
        TypeError, ValueError: tensors of the wrong type or shape, a single class, values that are not finite.
        ImportError: scikit-learn is not installed.
    """
    train, truth, test, test_truth = _codes.as_arrays(codes, labels, test_codes, test_labels)
    pipeline = optional_import("sklearn.pipeline", "metrics", "linear_probe")
    scaler = optional_import("sklearn.preprocessing", "metrics", "linear_probe").StandardScaler()
    classifier = optional_import("sklearn.linear_model", "metrics", "linear_probe").LogisticRegression(
        max_iter=10_000
    )
    probe = pipeline.make_pipeline(scaler, classifier).fit(train, truth)
    return float(probe.score(test, test_truth))


class OnlineProbe(nn.Module):
    r"""A linear classifier trained beside the autoencoder, on its codes, without a gradient to it.

    One layer with a bias on flattened codes, softmax cross-entropy, its own Adam (ACAI, section 4.1). As
    published: Glorot-uniform weights, zero bias, a learning rate of 1e-4, no weight decay, codes not normalised,
    one step on every batch of the autoencoder's. The paper reports the median of the last 20 accuracies on the
    whole test set: :func:`median_of_last`.

    Its input are the codes that the method is evaluated by: for the published VAE the input of its layer of means, for
    the denoising autoencoder the codes of clean images.

    ``state_dict`` holds the optimizer too, so that a loaded probe resumes exactly. Moving the probe to a device or
    dtype moves the optimizer's state.

    Args:
        code_size: elements of one flattened code.
        classes: how many, at least 2; labels are 0 to ``classes - 1``.
        lr: Adam's learning rate.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range.

    >>> probe = OnlineProbe(code_size=2, classes=2, lr=0.1)
    >>> codes, labels = torch.tensor([[-1.0, 1.0], [1.0, -1.0]]), torch.tensor([0, 1])
    >>> losses = [probe.step(codes, labels) for _ in range(50)]
    >>> probe.accuracy(codes, labels)
    1.0
    """

    def __init__(self, code_size: int, classes: int, lr: float = 1e-4) -> None:
        super().__init__()
        _checks.as_count("code_size", code_size, low=1)
        _checks.as_count("classes", classes, low=2)
        _checks.as_positive("lr", lr)
        self.layer = nn.Linear(code_size, classes)
        nn.init.xavier_uniform_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.optimizer = torch.optim.Adam(self.layer.parameters(), lr=lr)

    @override
    def forward(self, codes: Tensor) -> Tensor:
        """Logits ``[B, classes]`` of codes ``[B, ...]``, which are detached."""
        _checks.check_tensor("codes", codes)
        flat = codes.detach().reshape(len(codes), -1)
        if flat.shape[1] != self.layer.in_features:
            raise ValueError(
                f"codes: expected {self.layer.in_features} elements a sample, got {_checks.describe(codes)}"
            )
        with torch.autocast(codes.device.type, enabled=False):
            logits: Tensor = self.layer(flat.to(self.layer.weight.dtype))
        return logits

    def step(self, codes: Tensor, labels: Tensor) -> Tensor:
        """One step of Adam; the detached loss before it, without a synchronisation.

        Values are not checked: a label out of range is torch's own error.

        Args:
            codes: ``[B, ...]``; their graph is neither used nor freed.
            labels: ``[B]``, whole numbers.

        Raises:
            TypeError, ValueError: tensors of the wrong type or shape.
        """
        with torch.enable_grad():
            logits = self(codes)
            _checks.check_labels("labels", labels, len(codes), "codes")
            loss = cross_entropy(logits, labels.long())
            self.optimizer.zero_grad()
            loss.backward()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def accuracy(self, codes: Tensor, labels: Tensor, batch_size: int = 4096) -> float:
        """The share of ``labels`` that the probe predicts, in [0, 1].

        Raises:
            TypeError, ValueError: tensors of the wrong type or shape, no samples, codes that are not finite.
        """
        _codes.as_rows("codes", codes)
        _checks.check_labels("labels", labels, len(codes), "codes")
        _checks.as_count("batch_size", batch_size, low=1)
        pairs = zip(codes.split(batch_size), labels.split(batch_size), strict=True)
        return sum(int((self(z).argmax(1) == truth).sum()) for z, truth in pairs) / len(codes)

    @override
    def get_extra_state(self) -> dict[str, Any]:
        return self.optimizer.state_dict()

    @override
    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state)

    @override
    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "OnlineProbe":
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's is
        # moves the moments to the parameters
        self.optimizer.load_state_dict(self.optimizer.state_dict())
        return self


def median_of_last(values: Iterable[float] | Tensor, last: int = 20) -> float:
    """The median of the last evaluations of a run, as in ACAI's tables.

    The published notebook takes the last 20, of accuracies and of scores on lines alike; over runs it then gives
    mean and population standard deviation. Of an even number of values it is the mean of the middle two. A run
    with fewer evaluations gives all of them; a NaN among them makes it NaN.

    Args:
        values: in the order of the evaluations, at least one.
        last: number of evaluations, at least 1.

    Raises:
        TypeError, ValueError: no values, or ``last`` is no count.

    >>> median_of_last([0.1, 0.9, 0.7, 0.8], last=3)
    0.8
    """
    _checks.as_count("last", last, low=1)
    numbers = np.array([float(value) for value in values])
    if not len(numbers):
        raise ValueError("values: expected at least one evaluation, got none")
    return float(np.median(numbers[-last:]))
