"""What every training shares: the course of the learning rate and an average of the weights."""
