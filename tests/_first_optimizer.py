"""What torch imports with the first optimizer of a process, which takes a second."""

import torch

torch.optim.SGD([torch.zeros(1)])
