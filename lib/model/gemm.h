// Matrix products on raw row-major pointers, by the BLAS that LibTorch contains.
#pragma once

#include <cstdint>

namespace stagedtrain::model {

// A row-major matrix within a larger one: element (r, c) is data[r * stride + c].
struct Source {
  const float* data;
  std::int64_t stride;
};
struct Target {
  float* data;
  std::int64_t stride;
};

// rows x columns is the size of c, depth the length of each sum, scale (alpha) what the product is
// multiplied by. beta is 0 (c is written) or 1 (c is added to). Every size and stride is below
// 2^31. Called from within a parallel region they run on the calling thread alone.
struct ProductSize {
  std::int64_t rows, columns, depth;
  float scale = 1;
};

// c = scale a b^T + beta c: the output of a linear layer, a its input, b its weight (out, in).
void product_nt(const ProductSize& size, Source a, Source b, float beta, Target c);
// c = scale a b + beta c: the gradient of its input, a that of its output.
void product_nn(const ProductSize& size, Source a, Source b, float beta, Target c);
// c = scale a^T b + beta c: the gradient of its weight, a that of its output, b its input.
void product_tn(const ProductSize& size, Source a, Source b, float beta, Target c);

}  // namespace stagedtrain::model
