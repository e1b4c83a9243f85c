"""Tasks: what contestants are asked to do, how it is judged, and the data for it."""
