// Writes a share as a percentage.
#pragma once

#include <fmt/format.h>

#include <string>

namespace stagedtrain {

// 0.4867 -> "48.7%".
inline std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

}  // namespace stagedtrain
