// Asks the kernel (proc(5), meminfo).
#include "io/free_memory.h"

#include <fstream>
#include <string>

namespace stagedtrain {

std::uint64_t free_memory() {
  std::ifstream info("/proc/meminfo");
  for (std::string key, rest; info >> key && std::getline(info, rest);)
    if (key == "MemAvailable:") return std::stoull(rest) * 1024;
  return ~std::uint64_t{0};
}

}  // namespace stagedtrain
