// Allocates all activations of a batch shape in one block of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "io/memory_advice.h"

namespace stagedtrain::model {

// Hands out consecutive arrays, each aligned to a cache line. If base is null, it only counts
// bytes.
class Carver {
 public:
  explicit Carver(std::byte* base) : base_(base) {}
  template <class T>
  T* take(std::int64_t count) {
    T* piece = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    used_ += (bytes + kLine - 1) / kLine * kLine;
    return piece;
  }
  std::size_t used() const { return used_; }

 private:
  static constexpr std::size_t kLine = 64;
  std::byte* base_;
  std::size_t used_ = 0;
};

// Owns the memory. It grows when a layout needs more and never shrinks. Each layout invalidates the
// contents and all pointers from the previous one.
class Arena {
 public:
  // layout(Carver&) takes all arrays. It is called twice: to count bytes, and to place the arrays.
  template <class Layout>
  void lay_out(const Layout& layout) {
    Carver counter(nullptr);
    layout(counter);
    reserve(counter.used());
    Carver carver(memory_.get());
    layout(carver);
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, kAlignment); }
  };
  void reserve(std::size_t bytes) {
    if (bytes <= capacity_) return;
    memory_.reset();
    capacity_ = 0;
    memory_.reset(static_cast<std::byte*>(::operator new(bytes, kAlignment)));
    prefer_huge_pages(memory_.get(), bytes);
    capacity_ = bytes;
  }
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t capacity_ = 0;
};

}  // namespace stagedtrain::model
