// Aligned memory for tensors, zeroed by the kernel where it is large.
#include "state/host_tensor.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "base/memory_advice.h"

namespace stagedtrain::state {
namespace {

// Large tensors begin on a page, so that they can be written to disk from where they lie: those of
// middling size share slabs of huge pages, from which a disk reads faster, the largest have their
// own.
constexpr std::size_t kSmallAlignment = 64, kPage = 4096, kLarge = 16 * kPage,
                      kLargest = 4 * kHugePage, kSlabBytes = 8 * kHugePage;

constexpr std::size_t up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

// calloc hands out large blocks untouched (the kernel zeroes pages as they are first used), which
// aligned_alloc and memset would not. Room for a word is left before the bytes.
struct Block {
  void* start;
  std::byte* bytes;
};
Block zeroed_block(std::size_t size, std::size_t alignment) {
  void* start = std::calloc(size + alignment + sizeof(void*), 1);
  if (!start) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(start) + sizeof(void*);
  auto* bytes = reinterpret_cast<std::byte*>(up(address, alignment));
  if (alignment == kHugePage) prefer_huge_pages(bytes, size);
  return {start, bytes};
}

// Lies at the beginning of its own memory, which is freed with the last tensor in it.
struct Slab {
  void* start;
  std::atomic<int> users{1};  // the tensors, and whoever takes from it
  std::size_t used = kPage;

  std::byte* take(std::size_t size) {
    const std::size_t place = up(used + sizeof(void*), kPage);
    if (place + size > kSlabBytes) return nullptr;
    used = place + size;
    ++users;
    return reinterpret_cast<std::byte*>(this) + place;
  }
  void let_go() {
    if (--users == 0) std::free(start);
  }
};

struct Shared {
  Slab* slab;
  std::byte* bytes;
};
Shared take_shared(std::size_t size) {
  static std::mutex mutex;
  static Slab* current = nullptr;
  const std::lock_guard lock(mutex);
  std::byte* bytes = current ? current->take(size) : nullptr;
  if (!bytes) {
    const Block block = zeroed_block(kSlabBytes, kHugePage);
    if (current) current->let_go();
    current = new (block.bytes) Slab{block.start};
    bytes = current->take(size);
  }
  return {current, bytes};
}

// The word before the bytes says whose they are: a slab's (odd) or a block's.
constexpr std::uintptr_t kOfSlab = 1;

std::byte* allocate_zeroed(std::size_t size) {
  std::uintptr_t owner = 0;
  std::byte* bytes = nullptr;
  if (size >= kLarge && size < kLargest) {
    const Shared shared = take_shared(size);
    owner = reinterpret_cast<std::uintptr_t>(shared.slab) | kOfSlab;
    bytes = shared.bytes;
  } else {
    const Block block = zeroed_block(size, size < kLarge ? kSmallAlignment : kHugePage);
    owner = reinterpret_cast<std::uintptr_t>(block.start);
    bytes = block.bytes;
  }
  std::memcpy(bytes - sizeof owner, &owner, sizeof owner);
  return bytes;
}

}  // namespace

void HostTensor::Free::operator()(std::byte* p) const {
  std::uintptr_t owner;
  std::memcpy(&owner, p - sizeof owner, sizeof owner);
  if (owner & kOfSlab) {
    reinterpret_cast<Slab*>(owner - kOfSlab)->let_go();
  } else {
    std::free(reinterpret_cast<void*>(owner));
  }
}

HostTensor::HostTensor(DType dtype, std::vector<std::int64_t> shape)
    : dtype_(dtype), shape_(std::move(shape)), count_(1) {
  for (const std::int64_t size : shape_) {
    ST_CHECK(size >= 0, "a tensor's size is {}", size);
    ST_CHECK(!__builtin_mul_overflow(count_, size, &count_), "a tensor's size overflows");
  }
  ST_CHECK(count_ <= std::int64_t{1} << 58, "a tensor of {} elements", count_);
  data_.reset(allocate_zeroed(byte_size()));
}

double HostTensor::at(std::int64_t i) const {
  ST_CHECK(i >= 0 && i < count_, "element {} of {}", i, count_);
  const auto index = static_cast<std::size_t>(i);
  return dtype_ == DType::f32 ? static_cast<double>(as<float>()[index]) : as<double>()[index];
}

void HostTensor::set(std::int64_t i, double value) {
  ST_CHECK(i >= 0 && i < count_, "element {} of {}", i, count_);
  const auto index = static_cast<std::size_t>(i);
  if (dtype_ == DType::f32) {
    as<float>()[index] = static_cast<float>(value);
  } else {
    as<double>()[index] = value;
  }
}

HostTensor HostTensor::clone() const {
  HostTensor copy(dtype_, shape_);
  if (byte_size()) std::memcpy(copy.data_.get(), data_.get(), byte_size());
  return copy;
}

}  // namespace stagedtrain::state
