"""Image backbones in place of the camera encoders: networks of torchvision and timm."""
