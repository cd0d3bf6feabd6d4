// Makes names from foreign files safe to print.
#pragma once

#include <string>
#include <string_view>

namespace stagedtrain {

// Returns the name with control and non-ASCII bytes as \xNN, cut after 100 bytes.
std::string printable(std::string_view name);

}  // namespace stagedtrain
