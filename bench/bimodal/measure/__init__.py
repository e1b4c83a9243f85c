"""How every number about cost is taken: time, memory, energy, and what the machine was up to meanwhile.

`stage` runs the measurement of one group of contestants: a `worker` process for each, asked in turns (`schedule`,
`rounds`) over a pipe (`crew`), answers `requests`; `summary` makes costs of the raw samples. docs/measuring.md explains
the method.
"""
