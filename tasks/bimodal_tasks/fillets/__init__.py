"""The rooms of the `fillets` data set: packages, levels with their lines, conversations."""
