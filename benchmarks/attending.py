"""The readable form of attention beside the fused one."""

import timing
import torch

from handpose import attention


def forms(repeats: int) -> dict:
    """Readable over fused attention on the CPU: 24 images, 8 heads, 256 cells, 16 channels."""
    found, cpu = {}, torch.device("cpu")
    for dtype in (torch.float32, torch.bfloat16):
        inputs = [torch.randn(24, 8, 256, 16, dtype=dtype, requires_grad=True) for _ in range(3)]

        def forward(form, inputs=inputs) -> None:
            with torch.no_grad():
                form(*inputs)

        def both(form, inputs=inputs) -> None:
            out = form(*inputs)
            (out[0] if isinstance(out, tuple) else out).sum().backward()

        for name, task in (("forward", forward), ("with_gradient", both)):
            seconds = timing.alternate(
                repeats,
                cpu,
                readable=lambda t=task: t(attention.attend),
                fused=lambda t=task: t(attention.attend_fused),
            )
            found[f"readable_over_fused_{str(dtype)[6:]}_{name}"] = seconds["readable"] / seconds["fused"]
    return found
