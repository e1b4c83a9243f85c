"""The user's own data: what readers of all formats need, and the checks that every row goes through."""
