"""Weights from Hugging Face checkpoints (hub id or local folder), put into this project's modules."""
