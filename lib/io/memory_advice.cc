// Maps large memory and advises the kernel about its pages, with mmap(2) and madvise(2).
#include "io/memory_advice.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "io/given_back.h"

namespace stagedtrain {

std::byte* map_large(std::size_t size) {
  const std::size_t pages = (size + kPage - 1) / kPage * kPage;
  void* mapped = ::mmap(nullptr, pages + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* start = static_cast<std::byte*>(mapped);
  const std::size_t before = kHugePage - reinterpret_cast<std::uintptr_t>(start) % kHugePage;
  std::byte* memory = start + before;
  ::munmap(start, before);
  if (before < kHugePage) ::munmap(memory + pages, kHugePage - before);
  ::madvise(memory, pages, MADV_HUGEPAGE);
  return memory;
}

std::byte* map_sparse(std::size_t size) {
  const std::size_t pages = (size + kPage - 1) / kPage * kPage;
  void* mapped = ::mmap(nullptr, pages, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  ::madvise(mapped, pages, MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(mapped);
}

void unmap_large(std::byte* memory, std::size_t size) { ::munmap(memory, size); }

void prefer_huge_pages(void* memory, std::size_t size) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t begin = (address + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t end = (address + size) / kHugePage * kHugePage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

void give_back(void* memory, std::size_t size) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t begin = (address + kPage - 1) / kPage * kPage;
  const std::uintptr_t end = (address + size) / kPage * kPage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace stagedtrain
