"""The pass in which a network's parameters get no gradient and its buffers stay as they are."""

import torch
from zoo import batch_norm_pair

from interpreg import Critic, fresh_copy


def test_the_frozen_pass_leaves_batch_statistics_alone() -> None:
    encoder, decoder, x = batch_norm_pair()
    critic = Critic(encoder, decoder)
    twin = fresh_copy(encoder)
    twin.load_state_dict(critic.network.state_dict())
    torch.manual_seed(3)
    critic(x)
    counted = critic.network[1].num_batches_tracked
    assert counted == 2  # the critic's own two passes, not the autoencoder's third
