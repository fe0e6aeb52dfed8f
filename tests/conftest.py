"""Fixtures and settings for all tests."""

import torch

# Two cores are what the project is measured on; results of sums depend on the number of threads.
torch.set_num_threads(2)
