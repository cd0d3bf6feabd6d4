// Defines a dense tensor in host memory: shape, element type and bytes, without arithmetic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"

namespace stagedtrain::state {

enum class DType { f32, f64 };
constexpr std::size_t dtype_size(DType dtype) { return dtype == DType::f32 ? 4 : 8; }
constexpr const char* dtype_name(DType dtype) {
  return dtype == DType::f32 ? "float32" : "float64";
}
template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  return std::is_same_v<T, float> ? DType::f32 : DType::f64;
}

// A row-major tensor that owns its bytes. They are aligned to 64 bytes, or to 4096 if there are 64
// KiB or more. Move-only, so that a state is never copied by accident; see clone().
class HostTensor {
 public:
  HostTensor() = default;
  // All elements are zero.
  HostTensor(DType dtype, std::vector<std::int64_t> shape);
  HostTensor(HostTensor&&) = default;
  HostTensor& operator=(HostTensor&&) = default;

  DType dtype() const { return dtype_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }
  std::int64_t count() const { return count_; }
  std::size_t byte_size() const { return static_cast<std::size_t>(count_) * dtype_size(dtype_); }
  std::span<std::byte> bytes() { return {data_.get(), byte_size()}; }
  std::span<const std::byte> bytes() const { return {data_.get(), byte_size()}; }
  template <class T>
  std::span<T> as() {
    ST_CHECK(dtype_ == dtype_of<T>(), "tensor is {}", dtype_name(dtype_));
    return {reinterpret_cast<T*>(data_.get()), static_cast<std::size_t>(count_)};
  }
  template <class T>
  std::span<const T> as() const {
    return const_cast<HostTensor*>(this)->as<T>();
  }
  // Access to element i as a double, whatever the element type.
  double at(std::int64_t i) const;
  void set(std::int64_t i, double value);
  HostTensor clone() const;

 private:
  struct Free {
    std::size_t size;
    void operator()(std::byte* bytes) const;
  };
  DType dtype_ = DType::f32;
  std::vector<std::int64_t> shape_;
  std::int64_t count_ = 0;
  std::unique_ptr<std::byte[], Free> data_;
};

}  // namespace stagedtrain::state
