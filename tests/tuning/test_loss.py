"""The loss that keeps no float32 logits is torch's, in value and gradient."""

from __future__ import annotations

from typing import Any

import pytest

from localpers.tuning import loss

torch = pytest.importorskip("torch", reason="needs the extra 'tune'")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_it_is_torchs_cross_entropy(
    dtype: Any, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(loss, "AT_ONCE_BYTES", rows_at_once * 4 * 50)
    logits = (8 * torch.randn(2, 4, 50)).to(dtype).requires_grad_()
    targets = torch.randint(50, (2, 4))
    targets[1, 2:] = loss.IGNORED

    nats, gradient = loss.loss_and_gradient(logits, targets)
    expected = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1),
        targets.flatten(),
        ignore_index=loss.IGNORED,
        reduction="sum",
    )
    expected.backward()

    assert nats == pytest.approx(float(expected.detach()), rel=1e-5)
    tolerance = 1e-6 if dtype is torch.float32 else 2e-3
    torch.testing.assert_close(gradient, logits.grad, rtol=tolerance * 10, atol=tolerance)
    assert not gradient[1, 2:].any()


def test_logits_that_are_no_numbers_are_no_loss() -> None:
    logits = torch.full((1, 2, 5), float("nan"))

    nats, _ = loss.loss_and_gradient(logits, torch.zeros(1, 2, dtype=torch.long))

    assert nats != nats
