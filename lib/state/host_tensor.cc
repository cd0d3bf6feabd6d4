// Allocates aligned, zero-filled memory for tensors, and accesses their elements.
#include "state/host_tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "io/memory_advice.h"

namespace stagedtrain::state {
namespace {

constexpr std::size_t kAlignment = 64;
// From this size on, a tensor has a mapping of its own. It begins on a page, so that a disk can
// write it from where it lies, and the system has it back as soon as it is freed.
constexpr std::size_t kLarge = 16 * kPage;

std::byte* allocate_zeroed(std::size_t size) {
  if (size >= kLarge) return map_large(size);
  const std::size_t whole = (size + kAlignment - 1) / kAlignment * kAlignment;
  void* block = std::aligned_alloc(kAlignment, std::max(whole, kAlignment));
  if (!block) throw std::bad_alloc();
  return static_cast<std::byte*>(std::memset(block, 0, whole));
}

}  // namespace

void HostTensor::Free::operator()(std::byte* bytes) const {
  if (size >= kLarge) {
    unmap_large(bytes, size);
  } else {
    std::free(bytes);
  }
}

HostTensor::HostTensor(DType dtype, std::vector<std::int64_t> shape)
    : dtype_(dtype), shape_(std::move(shape)), count_(1) {
  for (const std::int64_t size : shape_) {
    ST_CHECK(size >= 0, "a tensor's size is {}", size);
    ST_CHECK(!__builtin_mul_overflow(count_, size, &count_), "a tensor's size overflows");
  }
  ST_CHECK(count_ <= std::int64_t{1} << 58, "a tensor of {} elements", count_);
  data_ = {allocate_zeroed(byte_size()), Free{byte_size()}};
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
