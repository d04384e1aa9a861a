"""Clusters against scikit-learn's, against every permutation, and where the answer is known."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from threadpoolctl import threadpool_info, threadpool_limits
from torch import Tensor

from interpreg.metrics import Clustering, clustering, clustering_accuracy
from interpreg.metrics.clustering import _matched, _threads

Labelled = tuple[Tensor, Tensor, Tensor, Tensor]


def blobs(n: int = 300, k: int = 4, d: int = 3, spread: float = 0.1) -> Labelled:
    labels = torch.arange(n) % k
    centres = 5 * torch.randn(k, d, generator=torch.Generator().manual_seed(1))
    codes, tests = (centres[which] + spread * torch.randn(len(which), d) for which in (labels, labels[: n // 2]))
    return codes, labels, tests, labels[: n // 2]


def structureless(n: int = 500, d: int = 5, k: int = 4) -> Labelled:
    codes, test_codes = (torch.randn(count, d).double() for count in (n, n // 2))
    return codes, torch.arange(n) % k, test_codes, torch.arange(n // 2) % k


def whitened(codes: Tensor) -> np.ndarray:
    """By the singular vectors, in the plainest way."""
    centred = (codes.double() - codes.double().mean(0)).numpy()
    u = np.linalg.svd(centred, full_matrices=False)[0]
    return u * np.sqrt(len(u))


def test_separate_classes_are_found() -> None:
    codes, labels, test_codes, test_labels = blobs()
    found = clustering(codes, labels, test_codes, test_labels, restarts=30)
    assert (found.accuracy, found.nmi, found.ari) == (1.0, pytest.approx(1.0), 1.0)
    assert (found.restarts, found.clusters, found.dropped_directions) == (30, 4, 0)
    assert found.converged
    # the objective of the true division: the squared distances to the mean of each class
    white, truth = whitened(codes), labels.numpy()
    inside = sum(((white[truth == c] - white[truth == c].mean(0)) ** 2).sum() for c in range(4))
    assert found.objective == pytest.approx(inside, rel=1e-9)


def test_every_restart_is_scikit_learns() -> None:
    """From the same samples, drawn as it draws them: each restart's objective, and the best of them."""
    case = structureless()
    found = clustering(*case, restarts=8, seed=3)
    white, random = whitened(case[0]), np.random.RandomState(3)
    chances = np.full(500, 1 / 500)
    for objective in found.objectives:
        start = white[random.choice(500, size=4, replace=False, p=chances)]
        theirs = KMeans(4, init=start, n_init=1, max_iter=1000, algorithm="lloyd").fit(white)
        assert objective == pytest.approx(theirs.inertia_, rel=1e-5)
    together = KMeans(4, init="random", n_init=8, max_iter=1000, random_state=3).fit(white)
    assert min(found.objectives) == pytest.approx(together.inertia_, rel=1e-5)
    assert found.objective <= together.inertia_ * (1 + 1e-9)  # it goes on until nothing changes


def test_the_best_restart_counts() -> None:
    case = structureless()
    one, many = (clustering(*case, restarts=n) for n in (1, 40))
    assert many.objective < one.objective
    assert many.objective <= min(many.objectives) * (1 + 1e-6)
    assert len(set(many.objectives)) > 1


def test_test_codes_are_scored_and_training_codes_are_clustered() -> None:
    """NMI and ARI are scikit-learn's of the predictions of scikit-learn's best fit."""
    codes, labels, test_codes, test_labels = blobs(spread=3.0)
    found = clustering(codes, labels, test_codes, test_labels, restarts=20, whiten=False)
    train = (codes - codes.mean(0)).double().numpy()
    fit = KMeans(4, init="random", n_init=20, tol=0, max_iter=1000, random_state=0).fit(train)
    predicted = fit.predict((test_codes.double() - codes.double().mean(0)).numpy())
    assert found.objective == pytest.approx(fit.inertia_, rel=1e-6)
    assert found.nmi == pytest.approx(normalized_mutual_info_score(test_labels, predicted))
    assert found.ari == pytest.approx(adjusted_rand_score(test_labels, predicted))
    assert found.accuracy == pytest.approx(brute_accuracy(predicted, test_labels.numpy(), 4))


def brute_accuracy(found: np.ndarray, truth: np.ndarray, k: int) -> float:
    return max((np.array(names)[found] == truth).mean() for names in itertools.permutations(range(k)))


@pytest.mark.parametrize("k", [2, 3, 4, 5])
def test_matching_is_the_best_of_all_permutations(k: int) -> None:
    random = np.random.RandomState(k)
    for _ in range(20):
        found, truth = random.randint(k, size=30), random.randint(k, size=30)
        assert _matched(found, truth, np.arange(k)) == pytest.approx(brute_accuracy(found, truth, k))


def test_names_of_classes_do_not_matter() -> None:
    codes, labels, test_codes, test_labels = blobs(spread=3.0)
    names = torch.tensor([7, -3, 100, 0])
    renamed = clustering(codes, names[labels], test_codes, names[test_labels], restarts=5)
    assert renamed == clustering(codes, labels, test_codes, test_labels, restarts=5)


def test_labels_independent_of_the_codes_score_nothing() -> None:
    codes, labels, test_codes, _ = blobs(n=4000)
    found = clustering(codes, labels, test_codes, torch.randint(4, (2000,)), restarts=10)
    assert found.accuracy < 0.32
    assert abs(found.ari) < 0.01
    assert found.nmi < 0.01


def test_the_seed_decides_and_threads_do_not() -> None:
    case = structureless()
    first = clustering(*case, restarts=6, seed=1)
    torch.set_num_threads(1)
    alone = clustering(*case, restarts=6, seed=1)
    torch.set_num_threads(5)
    crowd = clustering(*case, restarts=6, seed=1)
    assert first == alone == crowd
    assert first.objectives != clustering(*case, restarts=6, seed=2).objectives


def counts(user_api: str) -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == user_api]


def test_numerical_libraries_get_their_threads_back() -> None:
    case = structureless()
    with threadpool_limits(limits=3, user_api="blas"):
        torch.set_num_threads(8)
        clustering(*case, restarts=50)
        assert set(counts("blas")) == {3}
        assert torch.get_num_threads() == 8


def test_a_worker_has_one_thread() -> None:
    with threadpool_limits(limits=3, user_api="blas"), _threads(2) as pool:
        assert set(pool.submit(counts, "openmp").result()) == {1}
        assert set(pool.submit(counts, "blas").result()) == {1}


def test_the_best_goes_on_until_nothing_changes() -> None:
    """Where scikit-learn's tolerance stops earlier: the objective is that of a fixed point."""
    case = structureless(n=4000, d=2)
    found = clustering(*case, restarts=1)
    white = whitened(case[0])
    start = white[np.random.RandomState(0).choice(4000, size=4, replace=False, p=np.full(4000, 1 / 4000))]
    fits = [KMeans(4, init=start, n_init=1, tol=tol, max_iter=1000).fit(white) for tol in (1e-4, 0)]
    early, last = (fit.inertia_ for fit in fits)
    assert early > last * (1 + 1e-6)
    assert found.objective == pytest.approx(last, rel=1e-9)
    assert found.converged


def test_whitening_forgets_scale_and_rotation() -> None:
    codes, labels, test_codes, test_labels = blobs(spread=3.0)
    codes, test_codes = codes.double(), test_codes.double()
    turn = torch.linalg.qr(torch.randn(3, 3).double()).Q * torch.tensor([1.0, 100.0, 0.01]).double()
    straight = clustering(codes, labels, test_codes, test_labels, restarts=20)
    turned = clustering(codes @ turn + 5, labels, test_codes @ turn + 5, test_labels, restarts=20)
    assert (turned.objective, turned.accuracy) == (pytest.approx(straight.objective, rel=1e-6), straight.accuracy)


@pytest.mark.parametrize(("scale", "dropped"), [(0.0, 2), (1e-8, 2), (1e-4, 0)])
def test_directions_without_variance_are_dropped_and_counted(scale: float, dropped: int) -> None:
    codes, labels, test_codes, test_labels = structureless()
    wide, test_wide = (torch.cat([x, scale * torch.randn(len(x), 2).double()], dim=1) for x in (codes, test_codes))
    found = clustering(wide, labels, test_wide, test_labels, restarts=3)
    assert found.dropped_directions == dropped
    if scale == 0.0:
        plain = clustering(codes, labels, test_codes, test_labels, restarts=3)
        assert found.objective == pytest.approx(plain.objective, rel=1e-9)


def test_the_published_whitening_keeps_every_direction() -> None:
    """Divided by s + 1e-5: the third singular value is 1e-5, so half a unit of variance is left of it."""
    x = torch.randn(400, 3, dtype=torch.float64)
    q = torch.linalg.qr(x - x.mean(0)).Q
    codes, labels = q * torch.tensor([1.0, 1.0, 1e-5]).double(), torch.arange(400) % 2
    found = clustering(codes, labels, codes, labels, restarts=30, preset="published")
    assert found.dropped_directions == 0
    scaled = (q * torch.tensor([1 / (1 + 1e-5), 1 / (1 + 1e-5), 0.5]).double() * 20).numpy()
    theirs = KMeans(2, init="random", n_init=30, tol=0, max_iter=1000, random_state=0).fit(scaled)
    assert found.objective == pytest.approx(theirs.inertia_, rel=1e-6)
    with pytest.raises(ValueError, match=r"codes: expected codes that differ"):
        clustering(torch.ones(9, 2), torch.arange(9) % 3, codes[:2, :2], labels[:2], preset="published")


def test_an_iteration_limit_is_reported() -> None:
    assert not clustering(*structureless(), restarts=3, iterations=2).converged


def test_duplicates_do_not_leave_clusters_empty() -> None:
    """Four points, many times over: restarts that begin on copies of one point lose a cluster, and find it again."""
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    codes, labels = corners.repeat(50, 1), torch.arange(4).repeat(50)
    found = clustering(codes, labels, codes, labels, restarts=20)
    assert (found.accuracy, found.objective) == (1.0, pytest.approx(0.0, abs=1e-9))


def test_the_accuracy_alone() -> None:
    case = blobs(spread=3.0)
    assert clustering_accuracy(*case, restarts=7, seed=2) == clustering(*case, restarts=7, seed=2).accuracy
    assert isinstance(clustering(*case, restarts=1), Clustering)


CASE: Labelled = (torch.randn(90, 3), torch.arange(90) % 3, torch.randn(60, 3), torch.arange(60) % 3)


@pytest.mark.parametrize(("change", "error", "message"), [
    ({"test_labels": torch.arange(60) % 5}, ValueError,
     r"test_labels: expected classes that are in labels, .*\[3, 4\]"),
    ({"test_codes": torch.randn(60, 4)}, ValueError, r"test_codes: expected the shape of codes, \(3,\) a sample"),
    ({"codes": torch.full((90, 3), 0.1)}, ValueError, r"codes: expected codes that differ .* one code for every"),
    ({"codes": (torch.arange(90) % 2)[:, None].float()}, ValueError, r"as many as the 3 classes, got 2"),
    ({"restarts": 0}, ValueError, r"restarts: expected an int of at least 1"),
    ({"iterations": 0}, ValueError, r"iterations: expected an int of at least 1"),
    ({"seed": -1}, ValueError, r"seed: expected an int of at least 0"),
    ({"preset": "zca"}, ValueError, r"preset: expected one of None, 'published', got 'zca'"),
    ({"preset": "published", "whiten": False}, ValueError, r"whiten: expected True with the preset"),
])  # fmt: skip
def test_bad_input_is_named(change: dict[str, object], error: type[Exception], message: str) -> None:
    arguments = dict(zip(("codes", "labels", "test_codes", "test_labels"), CASE, strict=True)) | change
    if change.get("codes") is not None and arguments["codes"].shape[1] == 1:
        arguments["test_codes"] = torch.randn(60, 1)
    with pytest.raises(error, match=message):
        clustering(**arguments)
