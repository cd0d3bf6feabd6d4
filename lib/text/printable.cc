// Escapes every byte that a terminal could interpret as a command.
#include "text/printable.h"

#include <fmt/format.h>

namespace stagedtrain {

std::string printable(std::string_view name) {
  constexpr std::size_t kMost = 100;
  std::string text;
  for (const char c : name.substr(0, kMost)) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte >= 32 && byte < 127 ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return name.size() > kMost ? text + "..." : text;
}

}  // namespace stagedtrain
