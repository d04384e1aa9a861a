"""Rows of a table: MIDR-AE on standardised measurements, and its effect on the codes.

    python examples/tabular.py

Needs the demo extra (scikit-learn includes the table: 569 tumours of 30 measurements each).
"""

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn

from interpreg import MIDRAERegularizer, Reconstruction, Regularizer
from interpreg.metrics import clustering_accuracy, linear_probe

TRAINING_ROWS = 400


def table() -> tuple[Tensor, Tensor]:
    """Rows in random order, each column with mean 0 and standard deviation 1 over the training rows; and classes."""
    data = load_breast_cancer()
    order = torch.randperm(len(data.data), generator=torch.Generator().manual_seed(0))
    rows = torch.tensor(data.data, dtype=torch.float32)[order]
    rows = (rows - rows[:TRAINING_ROWS].mean(0)) / rows[:TRAINING_ROWS].std(0)
    return rows, torch.tensor(data.target)[order]


def correlation(codes: Tensor) -> float:
    """The mean absolute correlation of two elements of the code (MIDR-AE, Table 1)."""
    matrix = torch.corrcoef(codes.T).abs()
    d = len(matrix)
    return ((matrix.sum() - d) / (d * (d - 1))).item()


def train(method: str, rows: Tensor, steps: int) -> nn.Module:
    """The encoder, after training plain or with MIDR-AE."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(30, 64), nn.LeakyReLU(0.2), nn.Linear(64, 8))
    decoder = nn.Sequential(nn.Linear(8, 64), nn.LeakyReLU(0.2), nn.Linear(64, 30))
    reg: Regularizer = Reconstruction(encoder, decoder)
    if method == "MIDR-AE":
        reg = MIDRAERegularizer(encoder, decoder, mmd_weight=0.1, noise_weight=0.1, prior_weight=0.05)
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *reg.parameters()], lr=1e-3)
    for _ in range(steps):
        x = rows[torch.randint(TRAINING_ROWS, (64,))]
        optimizer.zero_grad()
        sum(reg(x).values()).backward()
        optimizer.step()
    return encoder


def main(steps: int = 2000) -> dict[str, dict[str, float]]:
    """Train both; correlations of the elements of their codes, and how well the codes separate classes."""
    rows, classes = table()
    results = {}
    for method in ("plain", "MIDR-AE"):
        encoder = train(method, rows, steps)
        with torch.no_grad():
            codes = encoder(rows)
        split = (codes[:TRAINING_ROWS], classes[:TRAINING_ROWS], codes[TRAINING_ROWS:], classes[TRAINING_ROWS:])
        results[method] = {
            "correlation of code elements": correlation(codes),
            "linear probe accuracy": linear_probe(*split),
            "clustering accuracy": clustering_accuracy(*split),
        }
        print(method, {name: round(value, 3) for name, value in results[method].items()})
    return results


if __name__ == "__main__":
    main()
