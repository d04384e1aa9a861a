"""The time of the published clustering: k-means with many restarts on 60,000 codes, ten clusters.

    python benchmarks/clustering_restarts.py --restarts 1000 --size 32

Structureless codes are the worst case: k-means converges slowest without clusters. scikit-learn's
own ``KMeans(n_init=...)``, whose restarts follow each other with its threads inside, is timed on fewer restarts.
"""

import argparse
import time

import torch
from sklearn.cluster import KMeans

from interpreg.metrics import clustering

CLUSTERS = 10


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=1000)
    parser.add_argument("--peer", type=int, default=20, help="restarts of scikit-learn's own (%(default)s)")
    parser.add_argument("--codes", type=int, default=60_000, help="training codes (%(default)s)")
    parser.add_argument("--size", type=int, default=32, help="elements of a code (%(default)s)")
    parser.add_argument("--clustered", action="store_true", help="ten overlapping clusters instead of one cloud")
    arguments = parser.parse_args(argv)
    torch.manual_seed(0)
    count = arguments.codes
    labels = torch.randint(CLUSTERS, (count * 7 // 6,))  # a sixth more to test on, as MNIST has
    codes = torch.randn(len(labels), arguments.size)
    if arguments.clustered:
        codes += 2 * torch.randn(CLUSTERS, arguments.size)[labels]
    split = codes[:count], labels[:count], codes[count:], labels[count:]
    began = time.perf_counter()
    found = clustering(*split, restarts=arguments.restarts)
    seconds = time.perf_counter() - began
    each = seconds / arguments.restarts
    print(
        f"{arguments.restarts} restarts, {count:,} codes of {arguments.size}: {seconds:.0f} s, {each:.3f} s each"
    )
    print(
        f"objectives {min(found.objectives):,.0f} to {max(found.objectives):,.0f}, finished at {found.objective:,.0f}"
    )
    if arguments.peer:
        began = time.perf_counter()
        KMeans(CLUSTERS, init="random", n_init=arguments.peer, random_state=0).fit(split[0].float().numpy())
        peer = (time.perf_counter() - began) / arguments.peer
        print(f"scikit-learn's n_init={arguments.peer}: {peer:.3f} s each, {peer / each:.2f} times as long")


if __name__ == "__main__":
    main()
