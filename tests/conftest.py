"""Shapes are checked at run time here, and only here: production code carries none of these checks."""

from jaxtyping import install_import_hook

# Before the packages are imported for the first time; jaxtyping wraps what is imported afterwards.
install_import_hook(["bimodal_models", "bimodal_kernels"], "beartype.beartype")
