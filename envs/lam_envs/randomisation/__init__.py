"""Domain randomisation: each episode of each world draws its looks, cameras and physics."""
