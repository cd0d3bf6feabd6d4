// Large pages by advice to the kernel.
#include "base/large_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace stagedtrain {
namespace {

constexpr std::uintptr_t kPage = std::uintptr_t{1} << 21;

}  // namespace

void ask_for_large_pages(void* memory, std::size_t bytes) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + kPage - 1) / kPage * kPage;
  const std::uintptr_t last = (begin + bytes) / kPage * kPage;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

}  // namespace stagedtrain
