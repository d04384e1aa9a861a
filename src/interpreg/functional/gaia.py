"""The losses of GAIA, as pure functions of its critic's errors; and its loss of pairwise distances."""

import torch
from torch import Tensor

from interpreg import _checks
from interpreg._numerics import as_wide, full_precision, widen
from interpreg.functional.means import has_positions, valid_part, with_features
from interpreg.functional.reconstruction import reconstruction_loss

SLOPE = 20.0


def gaia_simple_critic_loss(of_data: Tensor, of_reconstructions: Tensor, of_interpolants: Tensor) -> Tensor:
    r"""The critic's loss in GAIA's simplified form.

    .. math:: R_x + R_g - \min(R_i, R_x)

    The critic is trained to copy the data, to map reconstructions to the data, and not to copy interpolants, as long as
    their error is below that of the data. The autoencoder's loss is :math:`R_g + R_i`.

    Args:
        of_data: :math:`R_x = \overline{(x - d(x))^2}`, 0-dim, as the others.
        of_reconstructions: :math:`R_g = \overline{(x - d(\hat x))^2}`, against the data.
        of_interpolants: :math:`R_i = \overline{(x_i - d(x_i))^2}`.

    Returns:
        0-dim, in fp32 at least. The gradient of the minimum is that of the smaller error.

    Raises:
        TypeError, ValueError: an error that is not a 0-dim floating point tensor.

    Source: the author's rewrite of GAIA, timsainb/tensorflow2-generative-models.

    >>> gaia_simple_critic_loss(torch.tensor(1.0), torch.tensor(3.0), torch.tensor(0.25))
    tensor(3.7500)
    """
    _checks.check_scalars(of_data=of_data, of_reconstructions=of_reconstructions, of_interpolants=of_interpolants)
    of_data, of_reconstructions, of_interpolants = widen(of_data, of_reconstructions, of_interpolants)
    return of_data + of_reconstructions + missed(of_data, of_interpolants)


def missed(of_data: Tensor, of_interpolants: Tensor) -> Tensor:
    r"""The part of :func:`gaia_simple_critic_loss` about interpolants, :math:`-\min(R_i, R_x)`."""
    return -torch.minimum(of_interpolants, of_data)


def gaia_autoencoder_loss(
    of_reconstructions: Tensor, of_interpolants: Tensor, extra: Tensor | float = 0.0
) -> Tensor:
    r"""The autoencoder's loss in GAIA's published form.

    .. math:: L_G = \mathrm{clip}(p_g R_i + (1 - p_g) R_g + e, -1, 1),
              \qquad p_g = \sigma(20 (R_i - R_g))

    The larger error has the larger weight. Gradients go through :math:`p_g` as well; there are none where the loss is
    clipped.

    Args:
        of_reconstructions: :math:`R_g = \overline{|x - d(\hat x)|}`, against the data, with pixels in [0, 1]; 0-dim, as
            the others.
        of_interpolants: :math:`R_i = \overline{|x_i - d(x_i)|}`.
        extra: e, added within the clip: published as 5e-5 times :func:`distance_loss`.

    Returns:
        0-dim, in [-1, 1], in fp32 at least.

    Raises:
        TypeError, ValueError: an error that is not a 0-dim floating point tensor.

    Source: Sainburg, Thielk, Theilman, Migliori, Gentner 2018 (arXiv 1807.06650), as its code computes it.

    >>> gaia_autoencoder_loss(torch.tensor(0.5), torch.tensor(0.5))
    tensor(0.5000)
    """
    _checks.check_scalars(of_reconstructions=of_reconstructions, of_interpolants=of_interpolants)
    of_reconstructions, of_interpolants = widen(of_reconstructions, of_interpolants)
    share = torch.sigmoid(SLOPE * (of_interpolants - of_reconstructions))
    return (share * of_interpolants + (1 - share) * of_reconstructions + extra).clamp(-1, 1)


def gaia_critic_loss(of_data: Tensor, of_reconstructions: Tensor, of_interpolants: Tensor) -> Tensor:
    r"""The critic's loss in GAIA's published form.

    .. math:: L_D = \mathrm{clip}(R_x - p_f \tfrac{R_g + R_i}{2}, -1, 1),
              \qquad p_f = \mathrm{clip}(\sigma(20 (\tfrac12 R_i - R_x)), 0, 0.9)

    Gradients go through :math:`p_f` as well, except where a clip is active.

    Args, returns, errors and source: as :func:`gaia_autoencoder_loss`; of_data is
    :math:`R_x = \overline{|x - d(x)|}`.

    >>> gaia_critic_loss(torch.tensor(0.25), torch.tensor(0.5), torch.tensor(0.5))
    tensor(0.)
    """
    _checks.check_scalars(of_data=of_data, of_reconstructions=of_reconstructions, of_interpolants=of_interpolants)
    of_data, of_reconstructions, of_interpolants = widen(of_data, of_reconstructions, of_interpolants)
    share = torch.sigmoid(SLOPE * (0.5 * of_interpolants - of_data)).clamp(0, 0.9)
    return (of_data - share * (of_reconstructions + of_interpolants) / 2).clamp(-1, 1)


def gaia_balance(of_data: Tensor, of_reconstructions: Tensor, of_interpolants: Tensor) -> tuple[Tensor, Tensor]:
    r"""The shares of the learning rate of the autoencoder and of the critic in GAIA's published form.

    .. math:: 1 - s \quad \text{and} \quad s = \sigma(20 (R_x - \tfrac{R_g + R_i}{2}))

    The critic's share is the larger one where it copies generated images better than the data.

    Args and errors: as :func:`gaia_critic_loss`.

    >>> gaia_balance(torch.tensor(0.5), torch.tensor(0.5), torch.tensor(0.5))
    (tensor(0.5000), tensor(0.5000))
    """
    _checks.check_scalars(of_data=of_data, of_reconstructions=of_reconstructions, of_interpolants=of_interpolants)
    of_data, of_reconstructions, of_interpolants = widen(of_data, of_reconstructions, of_interpolants)
    of_generated = (of_reconstructions + of_interpolants) / 2
    share = torch.sigmoid(SLOPE * (of_data - of_generated))
    return torch.sigmoid(SLOPE * (of_generated - of_data)), share


def copying_error(image: Tensor, copy: Tensor, loss: str, mask: Tensor | None = None) -> Tensor:
    """The "mse" of a copy, or the "l1" after pixels in [-1, 1] are mapped to [0, 1]; 0-dim."""
    error = reconstruction_loss(copy, image, loss, mask)
    return error / 2 if loss == "l1" else error


def distance_loss(x: Tensor, z: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""The mean squared difference of the distances of codes from those of their samples, each up to scale.

    .. math:: \frac{1}{B^2} \sum_{ij} (\ln(1 + \delta^x_{ij}) - \ln(1 + \delta^z_{ij}))^2, \qquad
              \delta_{ij} = d_{ij} \Big/ \frac{1}{B^2} \sum_{kl} d_{kl}

    with :math:`d_{ij}` the mean square of the differences of two samples' elements.

    Args:
        x: samples ``[B, ...]``.
        z: their codes ``[B, ...]``.
        mask: boolean ``[B, T]``; of samples ``[B, T, ...]`` the positions count that are valid in both of a pair.

    Returns:
        0-dim, in fp32 at least; 0 where the distances of codes are exactly in proportion to those of samples.

    Raises:
        TypeError, ValueError: not tensors of one batch.

    Source: GAIA's published code (Sainburg et al. 2018).

    >>> z = torch.randn(6, 3)
    >>> distance_loss(2 * z, z).isclose(torch.tensor(0.0))
    tensor(True)
    """
    _checks.check_tensor("x", x)
    _checks.check_tensor("z", z)
    _checks.check_batch_size("z", z, len(x))
    with full_precision(z):
        of_x, of_z = _relative_distances(with_features(x, mask), mask), _relative_distances(z, mask)
        return (torch.log1p(of_x) - torch.log1p(of_z)).square().mean()


def _relative_distances(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean squared differences of all pairs, ``[B, B]``, over their mean."""
    values = as_wide(values)
    if mask is None or not has_positions(values, mask):
        rows = values.reshape(len(values), 1, -1)
        valid = rows.new_ones(len(rows), 1)
    else:
        rows, valid = valid_part(values, mask).flatten(2), mask.to(values.dtype)
    centre = rows.detach().sum((0, 1)) / valid.sum().clamp_min(1)  # close pairs far from 0 keep their digits
    rows = (rows - centre) * valid[..., None]
    squares = rows.square().sum(-1)  # [B, T]
    flat = rows.flatten(1)
    sums = squares @ valid.T + valid @ squares.T - 2 * flat @ flat.T
    off = 1 - torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
    distances = (sums * off).clamp_min(0) / (valid @ valid.T * rows.shape[-1]).clamp_min(1)
    return distances / distances.mean().clamp_min(torch.finfo(rows.dtype).tiny)
