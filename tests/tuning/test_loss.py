"""The loss that keeps no float32 logits is torch's, in value and gradient."""

import pytest

torch = pytest.importorskip("torch", reason="needs the tune extra")

from localpers.tuning import loss  # noqa: E402


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows_at_once", [1, 3, 100])
def test_it_is_torchs_cross_entropy(dtype, rows_at_once, monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(loss, "AT_ONCE_BYTES", rows_at_once * 4 * 50)
    given = (8 * torch.randn(2, 4, 50)).to(dtype)
    targets = torch.randint(50, (2, 4))
    targets[1, 2:] = loss.IGNORED
    ours, theirs = given.clone().requires_grad_(), given.clone().requires_grad_()

    found = loss.summed_loss(ours, targets)
    expected = torch.nn.functional.cross_entropy(
        theirs.float().flatten(0, 1),
        targets.flatten(),
        ignore_index=loss.IGNORED,
        reduction="sum",
    )
    (found / 7).backward()
    (expected / 7).backward()

    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    tolerance = 1e-6 if dtype is torch.float32 else 2e-3
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=tolerance * 10, atol=tolerance)
    assert not ours.grad[1, 2:].any()


def test_logits_that_are_no_numbers_are_no_loss():
    logits = torch.full((1, 2, 5), float("nan"), requires_grad=True)

    assert loss.summed_loss(logits, torch.zeros(1, 2, dtype=torch.long)).isnan()
