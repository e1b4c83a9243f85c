"""What contestants are made of: attention, Transformer blocks, encoders, the key-value cache."""
