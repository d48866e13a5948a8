"""What is asked of trained networks: attention, finger-spelling, detector scores, the paper's tables."""
