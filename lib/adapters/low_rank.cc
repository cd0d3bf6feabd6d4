// Loops over rows, whose inner loops compilers turn into vector instructions.
#include "adapters/low_rank.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

namespace stagedtrain::train {
namespace {

// Threads share rows, or columns, in pieces of at least this many multiplications.
constexpr std::int64_t kPiece = 1 << 16;

std::int64_t grain(std::int64_t multiplications) {
  return std::max<std::int64_t>(1, kPiece / std::max<std::int64_t>(1, multiplications));
}

template <class T>
T dot(const T* x, const T* y, std::int64_t n) {
  constexpr std::int64_t kLanes = 16;
  std::array<T, kLanes> sums{};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      sums[static_cast<std::size_t>(lane)] += x[i + lane] * y[i + lane];
  T sum = 0;
  for (; i < n; ++i) sum += x[i] * y[i];
  for (const T lane : sums) sum += lane;
  return sum;
}

template <class T>
void add_scaled(T factor, const T* x, std::int64_t n, T* sum) {
  for (std::int64_t i = 0; i < n; ++i) sum[i] += factor * x[i];
}

}  // namespace

template <class T>
void merge(const LowRank<T>& m, const T* base, T* w) {
  at::parallel_for(0, m.out, grain(m.rank * m.in), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      std::copy_n(base + row * m.in, m.in, w + row * m.in);
      for (std::int64_t k = 0; k < m.rank; ++k)
        add_scaled(m.scale * m.b[row * m.rank + k], m.a + k * m.in, m.in, w + row * m.in);
    }
  });
}

// Threads share the columns.
template <class T>
void gradient_of_a(const LowRank<T>& m, const T* g, T* gradient) {
  at::parallel_for(0, m.in, grain(m.rank * m.out), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = 0; k < m.rank; ++k)
      std::fill(gradient + k * m.in + begin, gradient + k * m.in + end, T{0});
    for (std::int64_t row = 0; row < m.out; ++row)
      for (std::int64_t k = 0; k < m.rank; ++k)
        add_scaled(m.scale * m.b[row * m.rank + k], g + row * m.in + begin, end - begin,
                   gradient + k * m.in + begin);
  });
}

template <class T>
void gradient_of_b(const LowRank<T>& m, const T* g, T* gradient) {
  at::parallel_for(0, m.out, grain(m.rank * m.in), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t k = 0; k < m.rank; ++k)
        gradient[row * m.rank + k] = m.scale * dot(g + row * m.in, m.a + k * m.in, m.in);
  });
}

template void merge<float>(const LowRank<float>&, const float*, float*);
template void merge<double>(const LowRank<double>&, const double*, double*);
template void gradient_of_a<float>(const LowRank<float>&, const float*, float*);
template void gradient_of_a<double>(const LowRank<double>&, const double*, double*);
template void gradient_of_b<float>(const LowRank<float>&, const float*, float*);
template void gradient_of_b<double>(const LowRank<double>&, const double*, double*);

}  // namespace stagedtrain::train
