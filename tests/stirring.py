"""Random networks of which no part can be left out unnoticed."""

import torch


def stirred(body, seed=0):
    """Far from its initial values: biases and running statistics are not 0 and 1, which would hide them."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, one in body.state_dict().items():
            if one.is_floating_point():
                noise = torch.randn(one.shape, generator=generator) * (
                    0.3 if one.ndim <= 1 else 0.5 / one[0].numel() ** 0.5
                )
                one.copy_(1 + noise.abs() if name.endswith("running_var") else one + noise)
    return body.eval()
