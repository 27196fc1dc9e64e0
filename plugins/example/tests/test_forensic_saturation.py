import numpy as np
from forensic_saturation import Saturation

from forensic_cli import Batch, Session
from forensic_cli.contract import check


def test_it_keeps_the_promises_of_every_detector():
    check(Saturation)


def test_black_and_white_pixels_count():
    image = np.full((8, 8, 3), 128, np.uint8)
    image[:2], image[7] = 0, 255
    assert Saturation(Session()).score(Batch(Session(), [None], [image])) == [-3 / 8]
