// Aligned memory for tensors, zeroed by the kernel where it is large.
#include "state/host_tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/memory_advice.h"

namespace stagedtrain::state {
namespace {

// Large tensors begin on a page, so that they can be written to disk from where they lie; the
// largest on a huge page, from which a disk reads them faster.
constexpr std::size_t kSmallAlignment = 64, kPage = 4096, kLarge = 16 * kPage;

constexpr std::size_t alignment_of(std::size_t size) {
  return size < kLarge ? kSmallAlignment : size < 2 * kHugePage ? kPage : kHugePage;
}

// calloc hands out large blocks untouched (the kernel zeroes pages as they are first used), which
// aligned_alloc and memset would not; so the block's true start is kept just before the bytes.
std::byte* allocate_zeroed(std::size_t size) {
  const std::size_t alignment = alignment_of(size);
  void* block = std::calloc(size + alignment + sizeof(void*), 1);
  if (!block) throw std::bad_alloc();
  auto address = reinterpret_cast<std::uintptr_t>(block) + sizeof(void*);
  address = (address + alignment - 1) / alignment * alignment;
  auto* bytes = reinterpret_cast<std::byte*>(address);
  std::memcpy(bytes - sizeof(void*), &block, sizeof block);
  if (alignment == kHugePage) prefer_huge_pages(bytes, size);
  return bytes;
}

}  // namespace

void HostTensor::Free::operator()(std::byte* p) const {
  void* block;
  std::memcpy(&block, p - sizeof(void*), sizeof block);
  std::free(block);
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
