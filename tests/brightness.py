"""A detector that needs nothing: how bright an image is on average, in 0 to 1, called a probability."""

from forensic_cli import Detector, hookimpl


class Bright(Detector):
    """Bright images look generated to it."""

    unit = "probability"

    def score(self, batch):
        return [float(image.mean()) / 255 for image in batch.images]


@hookimpl
def register_detectors(register):
    register("brightness", Bright)
