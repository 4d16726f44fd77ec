"""What can go wrong, one function a fault: it breaks something, and gives back what heals it."""
