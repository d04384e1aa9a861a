"""Runs are interrupted, resumed and refused."""

import pytest
import torch

from interpreg.demo import training


def settings(steps: int) -> training.Settings:
    return training.Settings("lines", 3, steps, 1e-3, width=4, scales=2, code_channels=4, batch_size=8)


def draw(n: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(n, 1, 8, 8, generator=generator) * 2 - 1


@pytest.mark.parametrize("method", training.METHODS)
def test_an_interrupted_run_goes_on_to_the_same_weights(method: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training, "SAVE_INTERVAL", 4)
    whole = training.start(method, settings(10))
    training.train(whole, draw, tmp_path / "whole.pt")

    def interrupted(n: int, generator: torch.Generator) -> torch.Tensor:
        if run.step == 6:
            raise KeyboardInterrupt
        return draw(n, generator)

    run = training.start(method, settings(10))
    with pytest.raises(KeyboardInterrupt):
        training.train(run, interrupted, tmp_path / "parts.pt")
    resumed = training.start(method, settings(10))
    training.train(resumed, draw, tmp_path / "parts.pt")
    for module in ("encoder", "decoder", "regularizer"):
        for name, value in getattr(resumed, module).state_dict().items():
            assert torch.equal(value, getattr(whole, module).state_dict()[name]), (module, name)
    assert resumed.step == 10


@pytest.mark.parametrize(("steps", "scale", "updated", "message"), [
    (3, 1.0, 0, "resuming from step 3 of 3"), (4, 1.0, 4, "starting anew"), (3, 0.5, 3, "starting anew"),
])  # fmt: skip
def test_only_a_checkpoint_of_the_same_settings_and_data_is_gone_on_from(
    steps: int, scale: float, updated: int, message: str, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    training.train(training.start("plain", settings(3)), draw, tmp_path / "run.pt")
    run = training.start("plain", settings(steps))
    before = run.encoder[0].weight.detach().clone()
    updates = []
    run.optimizer.register_step_post_hook(lambda *_: updates.append(1))
    training.train(run, lambda n, g: scale * draw(n, g), tmp_path / "run.pt")
    assert len(updates) == updated
    assert message in capsys.readouterr().out
    assert not torch.equal(run.encoder[0].weight, before)
