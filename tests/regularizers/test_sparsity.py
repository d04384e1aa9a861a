"""The term that keeps codes sparse."""

import torch
from torch import nn

from interpreg import Sparsity
from interpreg.functional import mean


def test_means_agree_with_the_shared_mean() -> None:
    z = torch.randn(3, 4)
    torch.testing.assert_close(Sparsity(nn.Identity(), nn.Identity())(z)["sparsity"], mean(z.abs()))
