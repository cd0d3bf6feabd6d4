// Allocates aligned, zero-filled memory for tensors, on huge pages where it is large.
#include "state/host_tensor.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "io/memory_advice.h"

namespace stagedtrain::state {
namespace {

// Large tensors begin on a page, so that they can be written to the disk from where they are. They
// lie on huge pages, from which a disk reads faster. Medium-sized tensors share slabs of huge
// pages.
constexpr std::size_t kAlignment = 64, kPage = 4096, kLarge = 16 * kPage, kLargest = 2 * kHugePage,
                      kSlabBytes = 4 * kHugePage;

// The word before a tensor's bytes identifies their owner: the start of a block of the heap, or,
// with one of these bits set, the start of a slab or of a mapping.
constexpr std::uintptr_t kOfSlab = 1, kOfMapping = 2;

std::byte* owned(std::byte* bytes, std::uintptr_t owner) {
  std::memcpy(bytes - sizeof owner, &owner, sizeof owner);
  return bytes;
}

// A slab begins with this header and is unmapped with the last tensor in it.
struct Slab {
  std::atomic<int> users{1};  // the tensors in it, plus one while it is the current slab
  std::size_t used = kPage;

  std::byte* take(std::size_t size) {
    const std::size_t place = (used + sizeof(void*) + kPage - 1) / kPage * kPage;
    if (place + size > kSlabBytes) return nullptr;
    used = place + size;
    ++users;
    return reinterpret_cast<std::byte*>(this) + place;
  }
  void let_go() {
    if (--users == 0) unmap_large(reinterpret_cast<std::byte*>(this), kSlabBytes);
  }
};

std::byte* take_shared(std::size_t size) {
  static std::mutex mutex;
  static Slab* current = nullptr;
  const std::lock_guard lock(mutex);
  std::byte* bytes = current ? current->take(size) : nullptr;
  if (!bytes) {
    auto* next = new (map_large(kSlabBytes)) Slab;
    if (current) current->let_go();
    current = next;
    bytes = current->take(size);
  }
  return owned(bytes, reinterpret_cast<std::uintptr_t>(current) | kOfSlab);
}

// Maps memory for one tensor, behind a page that records how much was mapped.
std::byte* map_own(std::size_t size) {
  const std::size_t mapped = kPage + size;
  std::byte* start = map_large(mapped);
  std::memcpy(start, &mapped, sizeof mapped);
  return owned(start + kPage, reinterpret_cast<std::uintptr_t>(start) | kOfMapping);
}

std::byte* take_from_heap(std::size_t size) {
  void* block = std::calloc(size + kAlignment + sizeof(void*), 1);
  if (!block) throw std::bad_alloc();
  const auto address = reinterpret_cast<std::uintptr_t>(block) + sizeof(void*);
  return owned(reinterpret_cast<std::byte*>((address + kAlignment - 1) / kAlignment * kAlignment),
               reinterpret_cast<std::uintptr_t>(block));
}

std::byte* allocate_zeroed(std::size_t size) {
  return size < kLarge ? take_from_heap(size) : size < kLargest ? take_shared(size) : map_own(size);
}

}  // namespace

void HostTensor::Free::operator()(std::byte* p) const {
  std::uintptr_t owner;
  std::memcpy(&owner, p - sizeof owner, sizeof owner);
  auto* start = reinterpret_cast<std::byte*>(owner & ~(kOfSlab | kOfMapping));
  if (owner & kOfSlab) {
    reinterpret_cast<Slab*>(start)->let_go();
  } else if (owner & kOfMapping) {
    std::size_t mapped;
    std::memcpy(&mapped, start, sizeof mapped);
    unmap_large(start, mapped);
  } else {
    std::free(start);
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
