// What the system should know of memory. Only hints: the bytes stay as they are.
#pragma once

#include <cstddef>
#include <span>

namespace stagedtrain {

inline constexpr std::size_t kHugePage = 2 << 20;

// Asks for huge pages where whole ones lie in this memory, before it is first touched: fewer to be
// faulted in, to be looked up where rows lie far apart, and to be named one by one to a disk that
// reads from them.
void prefer_huge_pages(void* memory, std::size_t size);

// While it lives, a touch of this mapped file brings its page alone, without the megabytes around
// it that a disk is else asked for.
class ScatteredTouches {
 public:
  explicit ScatteredTouches(std::span<const std::byte> mapped);
  ~ScatteredTouches();
  ScatteredTouches(const ScatteredTouches&) = delete;
  ScatteredTouches& operator=(const ScatteredTouches&) = delete;

 private:
  std::span<const std::byte> mapped_;
};

}  // namespace stagedtrain
