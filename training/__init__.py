"""The training program of the zoo, run from a clone; see `training.train`."""
