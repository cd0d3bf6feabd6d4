// sgemm takes column-major matrices, so that each product is asked for transposed: c^T = b^T a^T.
#include "model/gemm.h"

// Exported by libtorch_cpu with the Fortran convention, whichever BLAS is inside (MKL in the
// wheel).
extern "C" void sgemm_(const char* transa, const char* transb, const int* m, const int* n,
                       const int* k, const float* alpha, const float* a, const int* lda,
                       const float* b, const int* ldb, const float* beta, float* c, const int* ldc);

namespace stagedtrain::model {
namespace {

int narrowed(std::int64_t n) { return static_cast<int>(n); }

void product(char a_form, char b_form, const ProductSize& size, Source a, Source b, float beta,
             Target c) {
  if (size.rows == 0 || size.columns == 0) return;
  const int rows = narrowed(size.rows), columns = narrowed(size.columns);
  const int depth = narrowed(size.depth), a_stride = narrowed(a.stride);
  const int b_stride = narrowed(b.stride), c_stride = narrowed(c.stride);
  sgemm_(&b_form, &a_form, &columns, &rows, &depth, &size.scale, b.data, &b_stride, a.data,
         &a_stride, &beta, c.data, &c_stride);
}

}  // namespace

void product_nt(const ProductSize& size, Source a, Source b, float beta, Target c) {
  product('N', 'T', size, a, b, beta, c);
}
void product_nn(const ProductSize& size, Source a, Source b, float beta, Target c) {
  product('N', 'N', size, a, b, beta, c);
}
void product_tn(const ProductSize& size, Source a, Source b, float beta, Target c) {
  product('T', 'N', size, a, b, beta, c);
}

}  // namespace stagedtrain::model
