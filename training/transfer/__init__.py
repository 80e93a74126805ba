"""What pretrained weights are worth on other pictures: `python -m training.transfer`."""
