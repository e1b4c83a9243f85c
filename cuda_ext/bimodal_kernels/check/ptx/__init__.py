"""An interpreter for PTX, the assembly that nvcc writes: runs a kernel's device code on a machine without a GPU.

`parse_ptx` reads a module, `GlobalMemory` holds the tensors, `launch` runs a grid and counts instructions.
"""

from bimodal_kernels.check.ptx.execute import launch
from bimodal_kernels.check.ptx.faults import ProgramFault
from bimodal_kernels.check.ptx.memory import GlobalMemory
from bimodal_kernels.check.ptx.parse import parse_ptx
from bimodal_kernels.check.ptx.program import Kernel, Launch

__all__ = ["GlobalMemory", "Kernel", "Launch", "ProgramFault", "launch", "parse_ptx"]
