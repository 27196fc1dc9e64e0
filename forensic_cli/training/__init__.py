"""What a training run is made of, short of the loop itself: splits, sampling, augmentation."""
