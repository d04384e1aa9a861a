"""Agreement of clusters of codes with classes: k-means by scikit-learn, with the protocol of ACAI and MIDR-AE."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from interpreg import _checks
from interpreg import _progress as bars
from interpreg._extras import optional_import
from interpreg.metrics import _codes
from interpreg.metrics._codes import Array

FLOAT64_RESTARTS = 5  # the best ones, which go on in float64


@dataclass(frozen=True)
class Clustering:
    """How k-means on training codes divides test codes, against their classes.

    Attributes:
        accuracy: share of test codes in the cluster that is matched with their class, in [0, 1].
        nmi: normalised mutual information of clusters and classes of the test codes (arithmetic mean), in [0, 1].
        ari: adjusted Rand index of the same, at most 1, about 0 for independent ones.
        objective: sum of squared distances of the whitened training codes to their centres, of the best restart.
        converged: whether the best restart's assignment had stopped changing.
        restarts, clusters: their numbers.
        dropped_directions: directions that whitening dropped, because the codes do not vary along them.
        objectives: of every restart, in order, in float32.
    """

    accuracy: float
    nmi: float
    ari: float
    objective: float
    converged: bool
    restarts: int
    clusters: int
    dropped_directions: int
    objectives: tuple[float, ...] = field(repr=False)


def clustering(
    codes: Tensor,
    labels: Tensor,
    test_codes: Tensor,
    test_labels: Tensor,
    *,
    restarts: int = 1000,
    iterations: int = 1000,
    seed: int = 0,
    whiten: bool = True,
    preset: Literal["published"] | None = None,
    progress: bool = True,
) -> Clustering:
    r"""K-means on training codes, as many clusters as classes, judged on test codes.

    The protocol of ACAI (section 4.2) and MIDR-AE (section 5.4): training codes are whitened,
    :math:`(z - \bar z) V / s` with the singular values s and directions V of the centred codes; k-means starts at
    random samples, and of ``restarts`` the one with the best objective on the training codes is kept; clusters
    of the *test* codes are matched one to one with classes so that most test codes agree.

    Every restart is scikit-learn's Lloyd iteration with its default tolerance, from the samples that its
    ``KMeans(init="random", n_init=restarts, random_state=seed)`` would draw, in float32. The best five
    then go on in float64 until no assignment changes, and the best of these counts. (Where codes have little
    structure, rounding decides in which of many optima of nearly the same objective a restart ends, so that single
    ones differ from scikit-learn's in float64.) An empty cluster moves to the sample farthest from its centre. Restarts
    run side by side, one thread each, on as many threads as torch has; the result does not depend on the number of
    threads or the order. Memory: one float32 copy of the codes a thread, besides float64 ones.

    Args:
        codes, test_codes: ``[n, ...]`` and ``[m, ...]``, floating point; the papers use 60,000 training codes.
        labels, test_labels: ``[n]`` and ``[m]``, whole numbers; every test class is in ``labels``.
        restarts: random initialisations of k-means, at least 1; the papers use 1,000.
        iterations: of one restart, at most.
        seed: of the initialisations; the published code uses 0.
        whiten: give the variance 1 to each direction whose standard deviation is above a millionth of the largest,
            and drop the others; False clusters codes as they are.
        preset: None, or "published" for the whitening of the released code: all directions are kept and divided by
            s + 1e-5, which turns directions of almost no variance into noise of a variance near 1.
        progress: show a bar.

    Raises:
        TypeError, ValueError: tensors of the wrong type or shape, a single class, a test class that ``labels``
            lack, values that are not finite, fewer different codes than classes.
        ImportError: scikit-learn or scipy is not installed.

    >>> codes, labels = torch.tensor([[0.0], [0.1], [5.0], [5.1]]), torch.tensor([1, 1, 0, 0])
    >>> clustering(codes, labels, codes, labels, restarts=5).accuracy
    1.0
    """
    train, truth, test, test_truth = _codes.as_arrays(codes, labels, test_codes, test_labels)
    _checks.as_count("restarts", restarts, low=1)
    _checks.as_count("iterations", iterations, low=1)
    _checks.as_count("seed", seed)
    _checks.check_one_of("preset", preset, (None, "published"))
    if preset is not None and not whiten:
        raise ValueError("whiten: expected True with the preset, which is a whitening, got False")
    scores = optional_import("sklearn.metrics", "metrics", "clustering")
    classes = np.unique(truth)
    mean, matrix, dropped = _whitening(train, whiten, published=preset is not None)
    train = (train - mean) @ matrix
    if len(different := np.unique(train.astype(np.float32), axis=0)) < len(classes):
        raise ValueError(
            f"codes: expected codes that differ from each other, at least as many as the {len(classes)} classes, "
            f"got {len(different)}"
        )
    best, objectives = _best(train, len(classes), restarts, iterations, seed, progress)
    clusters = best.predict((test - mean) @ matrix)
    return Clustering(
        accuracy=_matched(clusters, test_truth, classes),
        nmi=float(scores.normalized_mutual_info_score(test_truth, clusters)),
        ari=float(scores.adjusted_rand_score(test_truth, clusters)),
        objective=float(best.inertia_),
        converged=bool(best.n_iter_ < iterations),
        restarts=restarts,
        clusters=len(classes),
        dropped_directions=dropped,
        objectives=objectives,
    )


def clustering_accuracy(
    codes: Tensor, labels: Tensor, test_codes: Tensor, test_labels: Tensor, *, restarts: int = 100, seed: int = 0
) -> float:
    """Share of test codes in the cluster matched with their class, in [0, 1]: ``accuracy`` of :func:`clustering`.

    Restarts 100 times by default, where the papers restart 1,000 times. Args and errors: as :func:`clustering`.
    """
    return clustering(codes, labels, test_codes, test_labels, restarts=restarts, seed=seed).accuracy


def _whitening(train: Array, whiten: bool, published: bool) -> tuple[Array, Array, int]:
    """The mean, the matrix ``[d, kept]`` that whitens centred codes, and how many directions it drops."""
    n, d = train.shape
    mean = train.mean(0)
    if not whiten:
        return mean, np.eye(d), 0
    triangle = np.linalg.qr(train - mean, mode="r")  # small, with the singular values of the codes
    _, scales, directions = np.linalg.svd(triangle, full_matrices=False)
    if scales.max() <= 1e-12 * np.sqrt(n) * np.abs(train).max():  # the mean of equal codes may be rounded
        raise ValueError("codes: expected codes that differ from each other, got one code for every sample")
    rows = scales > _codes.MIN_RELATIVE_STD * scales.max() if not published else np.full(len(scales), True)
    floor = 1e-5 if published else 0.0
    return mean, directions[rows].T / (scales[rows] + floor) * np.sqrt(n), d - int(rows.sum())


def _best(
    train: Array, k: int, restarts: int, iterations: int, seed: int, shown: bool
) -> tuple[Any, tuple[float, ...]]:
    """The best fit of k-means on whitened codes, and the objective of every restart."""
    cluster = optional_import("sklearn.cluster", "metrics", "clustering")
    lloyd = partial(cluster.KMeans, k, n_init=1, max_iter=iterations)
    singles, n = train.astype(np.float32), len(train)
    random, chances = np.random.RandomState(seed), np.full(n, 1 / n)  # drawn as scikit-learn draws
    starts = [random.choice(n, size=k, replace=False, p=chances) for _ in range(restarts)]

    def run(start: Array) -> tuple[float, Array]:
        fit = lloyd(init=singles[start]).fit(singles)
        return float(fit.inertia_), fit.cluster_centers_

    def finish(centres: Array) -> Any:
        return lloyd(init=centres.astype(np.float64), tol=0.0).fit(train)

    with _threads(min(restarts, torch.get_num_threads())) as pool:
        runs = list(bars.progress(pool.map(run, starts), "k-means", shown=shown, total=restarts))
        finalists = sorted(runs, key=lambda r: r[0])[:FLOAT64_RESTARTS]
        fits = list(pool.map(finish, [centres for _, centres in finalists]))
    return min(fits, key=lambda fit: float(fit.inertia_)), tuple(objective for objective, _ in runs)


@contextmanager
def _threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool whose numerical libraries use one thread a worker: sums have a fixed order, and threads do not contend."""
    limits = optional_import("threadpoolctl", "metrics", "clustering").threadpool_limits
    unconverged = optional_import("sklearn.exceptions", "metrics", "clustering").ConvergenceWarning
    # every fit sets the process's BLAS to one thread and then restores the earlier number, which concurrent fits would
    # mistake; with one thread around all of them the two are equal
    with limits(limits=1, user_api="blas"), warnings.catch_warnings():
        # duplicate codes may give an empty cluster
        warnings.simplefilter("ignore", unconverged)
        pool = ThreadPoolExecutor(count, initializer=partial(limits, limits=1, user_api="openmp"))
        try:
            yield pool
        finally:
            pool.shutdown(cancel_futures=True)


def _matched(assignment: Array, truth: Array, classes: Array) -> float:
    """Share of samples whose cluster is matched with their class, by the one-to-one matching of the largest share."""
    assign = optional_import("scipy.optimize", "metrics", "clustering").linear_sum_assignment
    clusters = np.arange(len(classes))
    agreement = (assignment[:, None] == clusters).T.astype(np.int64) @ (truth[:, None] == classes)
    rows, columns = assign(agreement, maximize=True)
    return float(agreement[rows, columns].sum() / len(truth))
