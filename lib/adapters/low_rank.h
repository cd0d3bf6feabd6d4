// The products of a low-rank adapter, W = W_0 + scale B A, and of its gradients, on a CPU.
//
// Every sum has a fixed order, whatever the number of threads, so that ranks and resumed runs have
// the same bits. A library's products keep no such promise.
#pragma once

#include <cstdint>

namespace stagedtrain::train {

// W is out x in, a is rank x in, b is out x rank. All are row-major.
template <class T>
struct LowRank {
  const T* a;
  const T* b;
  std::int64_t out, in, rank;
  T scale;
};

// Sets W to base + scale B A.
template <class T>
void merge(const LowRank<T>& adapter, const T* base, T* w);
// Set the gradients of A and B to those that follow from g = dL/dW: scale B^T G and scale G A^T.
template <class T>
void gradient_of_a(const LowRank<T>& adapter, const T* g, T* gradient);
template <class T>
void gradient_of_b(const LowRank<T>& adapter, const T* g, T* gradient);

}  // namespace stagedtrain::train
