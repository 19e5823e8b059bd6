"""The lpips package's own network."""

from __future__ import annotations

import lpips

from benchmarks.networks.weights import Version, trained


def reference(version: Version) -> lpips.LPIPS:
    """With its own channel weights, around the shipped trunk."""
    net = lpips.LPIPS(net="alex", version=version, pnet_rand=True, verbose=False)
    shipped = trained("0.0").trunk
    trunk = {n: shipped["features." + n.split(".", 1)[1]] for n in net.net.state_dict()}
    net.net.load_state_dict(trunk, strict=True)
    return net
