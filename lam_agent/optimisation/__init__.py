"""What every training shares: course of the learning rate, average of weights, altered pictures."""
