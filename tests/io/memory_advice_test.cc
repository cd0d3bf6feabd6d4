// Large memory: zero, on huge pages, given back; advice changes no byte.
#include "io/memory_advice.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include "support/catch.h"

using namespace stagedtrain;

TEST_CASE("large memory begins with a huge page and is zero, also where it was used before") {
  const std::size_t size = GENERATE(std::size_t{4096}, kHugePage, 2 * kHugePage + 12345);
  for (int time = 0; time < 3; ++time) {
    std::byte* memory = map_large(size);
    CHECK(reinterpret_cast<std::uintptr_t>(memory) % kHugePage == 0);
    CHECK(std::count(memory, memory + size, std::byte{0}) == static_cast<std::ptrdiff_t>(size));
    std::fill_n(memory, size, std::byte{1});
    unmap_large(memory, size);
  }
}

TEST_CASE("more memory than there can be is refused") {
  CHECK_THROWS_AS(map_large(std::size_t{1} << 60), std::bad_alloc);
}

TEST_CASE("advice leaves bytes as they are") {
  std::vector<char> memory(3 * kHugePage + 5, 'm');
  prefer_huge_pages(memory.data() + 1, memory.size() - 1);
  CHECK(std::count(memory.begin(), memory.end(), 'm') ==
        static_cast<std::ptrdiff_t>(memory.size()));
}
