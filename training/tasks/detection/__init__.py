"""Training of detectors: recipes, batches of photos with boxes and masks, and the program."""
