"""A text autoencoder: padded sequences of tokens, their mask, and interpolated sentences.

    python examples/text.py

Sentences are one-hot vectors [B, T, V], codes one vector each. With a mask every network is called as
network(value, mask), and means are over valid positions.
"""

import itertools

import torch
from torch import Tensor, nn

from interpreg import ACAIRegularizer, Interpolator, MMDPrior, Reconstruction, Regularizer

WHO = ["the cat", "a dog", "the old man", "my little sister", "nobody", "the very old king"]
DOES = ["sees", "likes", "often visits", "never finds", "sings about"]
WHAT = ["the house", "a red boat", "the sea", "my big garden"]
SENTENCES = [" ".join(parts).split() for parts in itertools.product(WHO, DOES, WHAT)]
WORDS = sorted({word for sentence in SENTENCES for word in sentence})
MAX_WORDS = max(map(len, SENTENCES))


def tokens(sentences: list[list[str]]) -> tuple[Tensor, Tensor]:
    """One-hot words ``[B, T, V]`` and the mask ``[B, T]`` of valid positions."""
    x = torch.zeros(len(sentences), MAX_WORDS, len(WORDS))
    for row, sentence in enumerate(sentences):
        x[row, range(len(sentence)), [WORDS.index(word) for word in sentence]] = 1
    return x, x.sum(-1) > 0


class Encoder(nn.Module):
    """Words to one vector."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.words = nn.Linear(len(WORDS), 48)
        self.place = nn.Parameter(torch.randn(MAX_WORDS, 48))
        self.out = nn.Sequential(nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, 48))
        self.code = nn.Linear(48, size)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.out(self.words(x) * self.place) * mask[..., None]
        return self.code(h.sum(1) / mask.sum(1, keepdim=True))


class Decoder(nn.Module):
    """A vector to the probabilities of words at every position."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(MAX_WORDS, 96))
        self.code = nn.Sequential(nn.Linear(size, 96), nn.ReLU(), nn.Linear(96, 96))
        self.out = nn.Sequential(nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, len(WORDS)))

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        return self.out(self.code(z)[:, None] * self.place[: mask.shape[1]]).softmax(-1) * mask[..., None]


class CriticNetwork(nn.Module):
    """A judgement of every position, from its neighbourhood."""

    def __init__(self) -> None:
        super().__init__()
        first, second = nn.Conv1d(len(WORDS), 64, 3, padding=1), nn.Conv1d(64, 64, 3, padding=1)
        self.out = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Conv1d(64, 1, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.out((x * mask[..., None]).mT).mT


def cross_entropy(x_hat: Tensor, x: Tensor, mask: Tensor) -> Tensor:
    """The mean negative logarithm of the probabilities of the words, over valid positions."""
    return -(x_hat * x).sum(-1)[mask].clamp_min(1e-6).log().mean()


def read(x: Tensor, mask: Tensor) -> list[str]:
    """The most probable words."""
    return [" ".join(WORDS[word] for word in row[valid]) for row, valid in zip(x.argmax(-1), mask, strict=True)]


def regularizer(method: str, encoder: Encoder, decoder: Decoder) -> Regularizer:
    """The regularizer of a method."""
    if method == "plain":
        return Reconstruction(encoder, decoder, loss=cross_entropy)
    # in nats, ten times a squared error of pixels, and the weight grows with it
    acai = ACAIRegularizer(encoder, decoder, critic=CriticNetwork(), reconstruction=cross_entropy, weight=5.0)
    return acai + MMDPrior(encoder, decoder, weight=0.1)


def main(steps: int = 1500, seed: int = 0) -> dict[str, dict[str, float]]:
    """Train plain and with ACAI and a prior; the shares of right words, and of half-way sentences that are real."""
    results = {}
    data, masks = tokens(SENTENCES)
    for method in ("plain", "ACAI + MMD"):
        torch.manual_seed(seed)
        encoder, decoder = Encoder(8), Decoder(8)
        reg = regularizer(method, encoder, decoder)
        optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), *reg.parameters()], lr=2e-3)
        for _ in range(steps):
            rows = torch.randint(len(data), (64,))
            optimizer.zero_grad()
            sum(reg(data[rows], mask=masks[rows]).values()).backward()
            optimizer.step()
        with torch.no_grad():
            words = decoder(encoder(data, masks), masks).argmax(-1)
            right = (words == data.argmax(-1))[masks].float().mean().item()
            x, mask = tokens([s for s in SENTENCES if len(s) == 6])
            z = encoder(x, mask)
            halves = [Interpolator().mix(z, z.roll(shift, 0), 0.5) for shift in range(1, len(z))]
            between = [sentence for half in halves for sentence in read(decoder(half, mask), mask)]
            real = sum(sentence.split() in SENTENCES for sentence in between) / len(between)
            walk = read(decoder(Interpolator().path(z[:1], z[7:8], steps=6)[0], mask[:6]), mask[:6])
        results[method] = {"words right": right, "sentences half-way that are real": real}
        print(method, results[method], *walk, sep="\n   ")
    return results


if __name__ == "__main__":
    main()
