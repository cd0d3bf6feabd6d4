// The system's own call, on whole pages.
#include "base/memory_advice.h"

#include <sys/mman.h>

#include <cstdint>

namespace stagedtrain {
namespace {

void advise(std::span<const std::byte> mapped, int advice) {
  if (!mapped.empty()) ::madvise(const_cast<std::byte*>(mapped.data()), mapped.size(), advice);
}

}  // namespace

void prefer_huge_pages(void* memory, std::size_t size) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t end = (address + size) / kHugePage * kHugePage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

ScatteredTouches::ScatteredTouches(std::span<const std::byte> mapped) : mapped_(mapped) {
  advise(mapped_, MADV_RANDOM);
}
ScatteredTouches::~ScatteredTouches() { advise(mapped_, MADV_NORMAL); }

}  // namespace stagedtrain
