// Writes a count with its noun, in the singular or plural.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "text/text.h"

namespace stagedtrain {

// (1, "step") -> "1 step"; (1200, "step") -> "1,200 steps". For nouns whose plural ends in s.
inline std::string counted(std::int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(count), noun, count == 1 ? "" : "s");
}

}  // namespace stagedtrain
