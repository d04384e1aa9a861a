"""Means over the batch, over elements and over what is valid."""

import torch
from sequences import LENGTHS, Sequences

from interpreg.functional.means import mean, mean_of_positions, mean_of_samples


def test_a_masked_mean_is_the_mean_of_what_is_valid(sequences: Sequences) -> None:
    values, mask = sequences.x, sequences.mask
    torch.testing.assert_close(mean(values, mask), values[mask].mean())
    of_samples = torch.stack([row[:length].mean() for row, length in zip(values, LENGTHS, strict=True)])
    torch.testing.assert_close(mean_of_samples(values, mask), of_samples)
    values = values.masked_fill(~mask[..., None], float("nan")).requires_grad_()  # padding may hold anything
    mean(values, mask).backward()
    torch.testing.assert_close(values.grad, mask[..., None].expand(4, 5, 3) / (3.0 * sum(LENGTHS)))


def test_vectors_whose_length_happens_to_be_that_of_the_mask_are_not_sequences(sequences: Sequences) -> None:
    codes = torch.randn(4, 5)
    torch.testing.assert_close(mean(codes, sequences.mask), codes.mean())


def test_nothing_valid_is_zero_and_not_nan(sequences: Sequences) -> None:
    assert mean(sequences.x, torch.zeros(4, 5, dtype=torch.bool)) == 0


def test_means_over_positions_are_those_of_each_sequence_alone(sequences: Sequences) -> None:
    values, mask = sequences.x, sequences.mask
    alone = torch.stack([row[:length].mean(0) for row, length in zip(values, LENGTHS, strict=True)])
    torch.testing.assert_close(mean_of_positions(values, mask), alone)
    torch.testing.assert_close(mean_of_positions(values), values.mean(1))
    assert not mean_of_positions(values, torch.zeros_like(mask)).any()


def test_without_a_mask_means_are_over_everything() -> None:
    values = torch.arange(12.0).view(2, 3, 2)
    assert (mean(values), mean_of_samples(values).tolist()) == (5.5, [2.5, 8.5])
    assert mean(values.half() * 4096) == 22528  # whose sum is none of fp16's
