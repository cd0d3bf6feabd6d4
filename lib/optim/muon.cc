// Implements Muon with ATen's matrix products, one matrix after another.
#include "optim/muon.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "arch/muon_matrices.h"
#include "optim/segment_views.h"

namespace stagedtrain::train {
namespace {

// Coefficients of the polynomial a x + b x^3 + c x^5, and the smallest norm to divide by: those of
// Jordan, which torch.optim.Muon uses too.
constexpr double kA = 3.4445, kB = -4.7750, kC = 2.0315, kEps = 1e-7;

at::ScalarType computing_type(model::ParamBuffer& params) {
  const bool in_bfloat16 = params.weights().is_cuda() && params.copy().defined();
  return in_bfloat16 ? at::kBFloat16 : params.weights().scalar_type();
}

at::Tensor matrix_of(const at::Tensor& flat, const model::Matrix& m) {
  return view_of(flat, m.segment).view({m.rows, m.columns});
}

at::Tensor as_matrix(const at::Tensor& buffer, std::int64_t rows, std::int64_t columns) {
  return buffer.narrow(0, 0, rows * columns).view({rows, columns});
}

// Each iteration maps every singular value s of x to a s + b s^3 + c s^5. The Gram matrix is that
// of the shorter side: X X^T, applied from the left, or X^T X, from the right. Overwrites all
// arguments and returns one of the first two.
at::Tensor orthogonalized(at::Tensor x, at::Tensor next, at::Tensor gram, at::Tensor polynomial) {
  const bool tall = x.size(0) > x.size(1);
  x.div_(at::linalg_vector_norm(x).clamp_min_(kEps));
  for (int i = 0; i < arch::kNewtonSchulzSteps; ++i) {
    at::mm_out(gram, tall ? x.t() : x, tall ? x : x.t());
    at::addmm_out(polynomial, gram, gram, gram, kB, kC);
    at::addmm_out(next, x, tall ? x : polynomial, tall ? polynomial : x, kA);
    std::swap(x, next);
  }
  return x;
}

}  // namespace

// lr_scale is 1 / c_in and eps_scale is 1 / c_out for a matrix that grew with dynamics: exact, else
// both are 1. The update gets the scale of the matrix before its growth, times the factor that
// makes it grow as the weights did. For the spectral scale these factors cancel.
double muon_scale(schedule::UpdateScale scale, const model::Matrix& matrix) {
  const double out = static_cast<double>(matrix.rows), in = static_cast<double>(matrix.columns);
  if (scale == schedule::UpdateScale::spectral) return std::sqrt(out / in);
  const double lr_scale = matrix.segment.lr_scale, eps_scale = matrix.segment.eps_scale;
  const double out_before = out * eps_scale, in_before = in * lr_scale;
  const double before = scale == schedule::UpdateScale::original
                            ? std::sqrt(std::max(1.0, out_before / in_before))
                            : 0.2 * std::sqrt(std::max(out_before, in_before));
  return before * std::sqrt(lr_scale / eps_scale);
}

void Muon::make_buffers(model::ParamBuffer& params) {
  std::int64_t whole = 0, square = 0;
  for (const model::Matrix& m : params.matrices()) {
    const std::int64_t side = std::min(m.rows, m.columns);
    whole = std::max(whole, m.rows * m.columns);
    square = std::max(square, side * side);
  }
  const bool on_cpu = params.weights().is_cpu();
  const auto options = at::TensorOptions(computing_type(params)).device(params.weights().device());
  buffers_.resize(static_cast<std::size_t>(on_cpu ? at::get_num_threads() : 1));
  for (Buffers& buffers : buffers_)
    for (int i = 0; i < 2; ++i) {
      if (!buffers.matrices[i].defined() || buffers.matrices[i].numel() < whole)
        buffers.matrices[i] = at::empty({whole}, options);
      if (!buffers.squares[i].defined() || buffers.squares[i].numel() < square)
        buffers.squares[i] = at::empty({square}, options);
    }
}

void Muon::step_matrix(model::ParamBuffer& params, const model::Matrix& matrix,
                       const Buffers& buffers, double lr, std::int64_t step,
                       double gradient_factor) const {
  at::Tensor gradient = matrix_of(params.grads(), matrix),
             momentum = matrix_of(params.exp_avg(), matrix);
  if (gradient_factor != 1) gradient.mul_(gradient_factor);
  momentum.lerp_(gradient, 1 - options_.momentum);
  const std::int64_t side = std::min(matrix.rows, matrix.columns);
  at::Tensor update = as_matrix(buffers.matrices[0], matrix.rows, matrix.columns);
  update.copy_(options_.nesterov ? gradient.lerp_(momentum, options_.momentum) : momentum);
  gradient.zero_();
  const at::Tensor direction = orthogonalized(
      update, as_matrix(buffers.matrices[1], matrix.rows, matrix.columns),
      as_matrix(buffers.squares[0], side, side), as_matrix(buffers.squares[1], side, side));
  const double rate = lr * ramp_at(matrix.segment, step);
  at::Tensor weights = matrix_of(params.weights(), matrix);
  if (matrix.segment.decays) weights.mul_(1 - rate * options_.weight_decay);
  weights.add_(direction, -rate * muon_scale(options_.update_scale, matrix));
}

void Muon::step(model::ParamBuffer& params, double lr, std::int64_t step, double gradient_factor) {
  make_buffers(params);
  const auto step_some = [&](std::int64_t begin, std::int64_t end) {
    const at::NoGradGuard no_grad;  // applies to one thread only
    const int thread = params.weights().is_cpu() ? at::get_thread_num() : 0;
    const Buffers& buffers = buffers_[static_cast<std::size_t>(thread)];
    for (std::int64_t i = begin; i < end; ++i) {
      const model::Matrix& matrix = params.matrices()[static_cast<std::size_t>(i)];
      if (matrix.segment.frozen || matrix.segment.idle) {
        matrix_of(params.grads(), matrix).zero_();
      } else {
        step_matrix(params, matrix, buffers, lr, step, gradient_factor);
      }
    }
  };
  const auto count = static_cast<std::int64_t>(params.matrices().size());
  if (params.weights().is_cpu()) return at::parallel_for(0, count, 1, step_some);
  step_some(0, count);
}

}  // namespace stagedtrain::train
