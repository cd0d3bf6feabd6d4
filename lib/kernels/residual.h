// Adds a branch to the residual stream where no norm follows at once.
#pragma once

#include <cstdint>

namespace stagedtrain::kernels {

// sum = x + scale * branch for rows [begin, end) of matrices [rows, width]. sum may be x or branch.
void add_scaled(const float* x, const float* branch, float scale, std::int64_t begin,
                std::int64_t end, std::int64_t width, float* sum);

}  // namespace stagedtrain::kernels
