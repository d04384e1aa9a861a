"""What codes are good for: linear probes and clustering, by scikit-learn."""

import numpy as np
import torch
from torch import Tensor

from interpreg import _checks
from interpreg._extras import need


def linear_probe(codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor) -> float:
    """Accuracy of a linear classifier on frozen codes: the share of ``test_labels`` it gets right, in [0, 1].

    A multinomial logistic regression (L2 of strength 1, scikit-learn's default) on flattened codes, each
    dimension standardised on the training codes. Deterministic, trained to convergence, after the autoencoder;
    the papers train a single layer in tandem with it instead (ACAI, section 4.1).

    Args:
        codes, test_codes: ``[n, ...]`` and ``[m, ...]``, floating point.
        labels, test_labels: ``[n]`` and ``[m]``, whole numbers.

    Raises:
        TypeError, ValueError: tensors of the wrong type or shape, a single class, values that are not finite.
        ImportError: scikit-learn is not installed.
    """
    train, test = _flat("codes", codes, labels), _flat("test_codes", test_codes, test_labels)
    pipeline = need("sklearn.pipeline", "metrics", "linear_probe")
    scaler = need("sklearn.preprocessing", "metrics", "linear_probe").StandardScaler()
    classifier = need("sklearn.linear_model", "metrics", "linear_probe").LogisticRegression(max_iter=10_000)
    probe = pipeline.make_pipeline(scaler, classifier).fit(train, labels.cpu().numpy())
    return float(probe.score(test, test_labels.cpu().numpy()))


def clustering_accuracy(
    codes: Tensor,
    labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    *,
    restarts: int = 100,
    seed: int = 0,
) -> float:
    """Share of test codes in the cluster that stands for their class, in [0, 1].

    K-means on whitened training codes, as many clusters as classes, the best of ``restarts`` by its objective;
    clusters are then matched one to one with classes so that most test codes agree (ACAI, section 4.2, which
    restarts 1,000 times). Directions without variance are dropped.

    Args:
        codes, test_codes: ``[n, ...]`` and ``[m, ...]``, floating point.
        labels, test_labels: ``[n]`` and ``[m]``, whole numbers.
        restarts: random initialisations of k-means, at least 1.
        seed: of the initialisations.

    Raises:
        TypeError, ValueError: tensors of the wrong type or shape, a single class, values that are not finite.
        ImportError: scikit-learn or scipy is not installed.
    """
    train, test = _flat("codes", codes, labels), _flat("test_codes", test_codes, test_labels)
    _checks.is_count("restarts", restarts, low=1)
    cluster = need("sklearn.cluster", "metrics", "clustering_accuracy")
    optimize = need("scipy.optimize", "metrics", "clustering_accuracy")
    classes, truth = np.unique(labels.cpu().numpy()), test_labels.cpu().numpy()
    mean = train.mean(0)
    _, scales, directions = np.linalg.svd(train - mean, full_matrices=False)
    kept = scales > 1e-6 * max(scales.max(), 1e-12)
    whiten = directions[kept].T / scales[kept] * np.sqrt(len(train))
    if not kept.any():
        raise ValueError("codes: expected codes that differ from each other, got one code for every sample")
    means = cluster.KMeans(len(classes), init="random", n_init=restarts, random_state=seed)
    found = means.fit((train - mean) @ whiten).predict((test - mean) @ whiten)
    agreement = (found[:, None] == np.arange(len(classes))).T.astype(int) @ (truth[:, None] == classes)
    rows, columns = optimize.linear_sum_assignment(agreement, maximize=True)
    return float(agreement[rows, columns].sum() / len(truth))


def _flat(name: str, codes: Tensor, labels: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The codes as a finite array ``[n, d]``, their labels checked."""
    _checks.is_tensor(name, codes)
    if not isinstance(labels, Tensor) or labels.is_floating_point() or labels.shape != codes.shape[:1]:
        raise ValueError(
            f"labels: expected whole numbers of shape [{len(codes)}], one for each of {name}, "
            f"got {_checks.describe(labels)}"
        )
    if len(torch.unique(labels)) < 2 and name == "codes":
        raise ValueError(f"labels: expected at least two classes, got {len(torch.unique(labels))}")
    if not codes.isfinite().all():
        raise ValueError(f"{name}: expected finite codes, got some that are NaN or infinite")
    return codes.detach().reshape(len(codes), -1).double().cpu().numpy()
