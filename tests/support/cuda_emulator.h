// CUDA on a CPU, as much as our kernels use: a .cu file that includes this compiles as C++ and runs
// on host memory. The threads of a block are fibers that take turns at barriers and shuffles,
// always in the same order; blocks run one after another.
#pragma once

#include <ucontext.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __global__
#define __device__
#define __shared__ static

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 threadIdx, blockIdx;

namespace cuda_emulator {

constexpr unsigned kWarp = 32;

struct Fiber {
  enum class At { ready, warp, block, end };
  static constexpr std::size_t kStack = 1 << 16;
  ucontext_t context{};
  std::unique_ptr<char[]> stack{new char[kStack]};
  At at = At::ready;
  double shown[2] = {};  // to the other threads of the warp, at every other shuffle
  unsigned shuffles = 0;
};

// The block that runs.
class Block {
 public:
  Block(unsigned threads, const std::function<void()>& body) : fibers_(pool()), body_(body) {
    fibers_.resize(threads);
  }

  void run() {
    current() = this;
    for (Fiber& fiber : fibers_) start(fiber);
    while (turn()) release();
  }
  void wait(Fiber::At at) {
    Fiber& fiber = fibers_[thread_];
    fiber.at = at;
    ::swapcontext(&fiber.context, &scheduler_);
  }
  Fiber& fiber(unsigned thread) { return fibers_.at(thread); }
  unsigned thread() const { return thread_; }
  static Block*& current() {
    static Block* block = nullptr;
    return block;
  }

 private:
  static void enter() {
    current()->body_();
    current()->wait(Fiber::At::end);
  }
  // Their stacks are kept from block to block.
  static std::vector<Fiber>& pool() {
    static std::vector<Fiber> fibers;
    return fibers;
  }
  void start(Fiber& fiber) {
    fiber.at = Fiber::At::ready;
    fiber.shuffles = 0;
    ::getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.get();
    fiber.context.uc_stack.ss_size = Fiber::kStack;
    ::makecontext(&fiber.context, enter, 0);
  }
  // Every thread that can goes on to its next barrier. False: all have ended.
  bool turn() {
    bool moved = false, ended = true;
    for (thread_ = 0; thread_ < fibers_.size(); ++thread_) {
      Fiber& fiber = fibers_[thread_];
      if (fiber.at == Fiber::At::ready) {
        threadIdx = dim3(thread_);
        ::swapcontext(&scheduler_, &fiber.context);
        moved = true;
      }
      ended &= fiber.at == Fiber::At::end;
    }
    if (!moved && !ended) fail("threads of a block wait for different barriers");
    return !ended;
  }
  // Lets those go on that all of their warp, or of the block, have reached.
  void release() {
    const auto total = static_cast<unsigned>(fibers_.size());
    for (unsigned first = 0; first < total; first += kWarp)
      release(first, std::min(first + kWarp, total), Fiber::At::warp);
    release(0, total, Fiber::At::block);
  }
  void release(unsigned begin, unsigned end, Fiber::At at) {
    for (unsigned i = begin; i < end; ++i)
      if (fibers_[i].at != at && fibers_[i].at != Fiber::At::end) return;
    for (unsigned i = begin; i < end; ++i)
      if (fibers_[i].at == at) fibers_[i].at = Fiber::At::ready;
  }
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "emulated kernel: %s\n", what);
    std::abort();
  }

  std::vector<Fiber>& fibers_;
  const std::function<void()>& body_;
  ucontext_t scheduler_{};
  unsigned thread_ = 0;
};

inline void launch(dim3 grid, dim3 block, void* /*stream*/, const std::function<void()>& body) {
  for (unsigned y = 0; y < grid.y; ++y)
    for (unsigned x = 0; x < grid.x; ++x) {
      blockIdx = dim3(x, y);
      Block(block.x, body).run();
    }
}

}  // namespace cuda_emulator

inline void __syncthreads() {
  cuda_emulator::Block::current()->wait(cuda_emulator::Fiber::At::block);
}
template <class Number>
Number __shfl_xor_sync(unsigned, Number x, int lane) {
  using cuda_emulator::Fiber;
  cuda_emulator::Block& block = *cuda_emulator::Block::current();
  const unsigned me = block.thread(), turn = block.fiber(me).shuffles++ % 2;
  block.fiber(me).shown[turn] = static_cast<double>(x);
  block.wait(Fiber::At::warp);
  return static_cast<Number>(block.fiber(me ^ static_cast<unsigned>(lane)).shown[turn]);
}
inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
using std::fmaxf;
