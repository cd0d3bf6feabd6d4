// Names out of foreign files, made safe to print.
#pragma once

#include <string>
#include <string_view>

namespace stagedtrain {

// Control and non-ASCII bytes as \xNN; cut after 100 bytes.
std::string printable(std::string_view name);

}  // namespace stagedtrain
