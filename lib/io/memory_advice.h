// How is the kernel advised about memory? Large memory is also mapped straight from it.
#pragma once

#include <cstddef>
#include <memory>

namespace stagedtrain {

inline constexpr std::size_t kPage = 4096, kHugePage = 2 << 20;

// Zeroed memory that begins with a huge page; never null. The system has it back at once when it is
// unmapped, where the heap would keep it in parts. Throws std::bad_alloc.
std::byte* map_large(std::size_t size);
void unmap_large(std::byte* memory, std::size_t size);
// The same, owned.
struct UnmapLarge {
  std::size_t size = 0;
  void operator()(std::byte* memory) const { unmap_large(memory, size); }
};
using LargeMemory = std::unique_ptr<std::byte[], UnmapLarge>;
inline LargeMemory large_memory(std::size_t size) {
  return LargeMemory(map_large(size), UnmapLarge{size});
}

// Zeroed memory of which only the pages that were written take space, for parts that come and go
// (given_back.h). It never gets huge pages, which would be whole again after one of their parts was
// given back. Freed by unmap_large.
std::byte* map_sparse(std::size_t size);

// Asks for huge pages where whole ones lie in this memory, before it is first touched: fewer to be
// faulted in, to be looked up where rows lie far apart, and to be named one by one to a disk that
// reads from them. Only a hint; the bytes stay as they are.
void prefer_huge_pages(void* memory, std::size_t size);

}  // namespace stagedtrain
