"""What an interpreted program can do wrong."""


class ProgramFault(Exception):
    """The program did what a GPU must not be asked to do; the message names the instruction."""


class OutOfBounds(ProgramFault):
    """An access to bytes that no allocation holds."""


class Misaligned(ProgramFault):
    """An access whose address is not a multiple of its size."""


class UninitialisedRead(ProgramFault):
    """A read of shared memory that nothing has written, or of a register that was never set."""


class Divergence(ProgramFault):
    """A warp-wide instruction or a barrier that not every thread reaches."""
