// From a case file to the call of a launcher.
#pragma once
#include <cuda_runtime_api.h>

#include "case_file.hpp"

namespace bimodal {

/// Calls the launcher that the case is for (setting "op": 0 forward, 1 decode, 2 backward).
cudaError_t call(const CaseFile& file);

}  // namespace bimodal
