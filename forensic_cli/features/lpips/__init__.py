"""LPIPS v0.1 on VGG-16: how different two pictures look to a vision network, place by place.

    lpips = Lpips(layer=2, vgg=VGG16, heads=HEADS)      # layer 1 (relu1_2) to 5 (relu5_3); 0 is all five, their sum LPIPS
    lpips.open(session)                                 # for `open_weights`: raises WeightsError
    distances(batch, others, space=space, size=size, lpips=lpips)   # of pixels(batch, ...) to `others`: Maps of each
    between(session, ones, others, lpips=lpips)                     # of pictures of one's own
    total(maps), joined(maps)                                       # one number; one map, for a heatmap

Pictures are (3, H, W) in about [-1, 1] and need not be clamped. Nothing of VGG above the layer is computed. All is float32,
whatever the session's number format: differences of nearly equal pictures would drown in anything less.
`converted` is for a detector's own `converted` (`forensic weights convert`).
"""

from forensic_cli.features.lpips.comparing import Lpips, Maps, between, distances, joined, total
from forensic_cli.features.lpips.loading import HEADS, VGG16, converted

__all__ = ["HEADS", "VGG16", "Lpips", "Maps", "between", "converted", "distances", "joined", "total"]
