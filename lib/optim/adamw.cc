// Runs AdamW with the project's kernels on a CPU in fp32 and on a GPU, and with ATen elsewhere.
#include "optim/adamw.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/adamw.h"
#include "model/cuda_arrays.h"
#include "optim/segment_views.h"

namespace stagedtrain::train {
namespace {

bool own_kernels(model::ParamBuffer& params) {
  return params.weights().is_cpu() && params.weights().scalar_type() == at::kFloat;
}

// Returns the constants of one step for one segment.
kernels::AdamWStep constants_of(const model::Segment& s, const AdamWOptions& o, double lr,
                                std::int64_t step, double gradient_factor) {
  const auto age = static_cast<double>(step - s.age.start);
  return {lr * s.lr_scale * ramp_at(s, step),
          o.beta1,
          o.beta2,
          o.eps * s.eps_scale,
          s.decays ? o.weight_decay * s.decay_scale : 0,
          1 - std::pow(o.beta1, age),
          1 - std::pow(o.beta2, age),
          gradient_factor};
}

void step_by_kernel(model::ParamBuffer& params, const model::Segment& s,
                    const kernels::AdamWStep& constants) {
  const auto at = [&](at::Tensor& flat) { return flat.data_ptr<float>() + s.offset; };
  float *w = at(params.weights()), *g = at(params.grads()), *m = at(params.exp_avg()),
        *v = at(params.exp_avg_sq());
  at::parallel_for(0, s.count, 1 << 15, [&](std::int64_t begin, std::int64_t end) {
    kernels::adamw(constants, begin, end, true, w, g, m, v);
  });
}

void step_by_cuda(model::ParamBuffer& params, const model::Segment& s,
                  const kernels::AdamWStep& constants) {
  model::cuda_adamw(constants, params.weights(), params.grads(), params.exp_avg(),
                    params.exp_avg_sq(), params.copy(), {s.offset, s.offset + s.count});
}

void step_by_aten(model::ParamBuffer& params, const model::Segment& s, const kernels::AdamWStep& c,
                  std::int64_t age) {
  at::Tensor gradient = view_of(params.grads(), s);
  if (c.gradient_factor != 1) gradient.mul_(c.gradient_factor);
  const at::Tensor steps = at::full({}, static_cast<double>(age),
                                    at::TensorOptions(at::kFloat).device(gradient.device()));
  at::_fused_adamw_({view_of(params.weights(), s)}, {gradient}, {view_of(params.exp_avg(), s)},
                    {view_of(params.exp_avg_sq(), s)}, {}, {steps}, c.lr, c.beta1, c.beta2,
                    c.weight_decay, c.eps, false, false);
  gradient.zero_();
}

// The factor of a segment's squared gradients in the norm. Under exact dynamics, a grown tensor
// then contributes as much as the smaller one did.
double norm_weight(const model::Segment& s) { return s.lr_scale / s.eps_scale; }

bool all_count_alike(model::ParamBuffer& params) {
  for (const model::Segment& s : params.segments())
    if (s.frozen || norm_weight(s) != 1) return false;
  return true;
}

// Returns the elements of a segment that lie within a range; their size is below 0 if there are
// none.
Range common(const model::Segment& s, const Range& range) {
  return {std::max(s.offset, range.begin), std::min(s.offset + s.count, range.end)};
}

// Returns the weighted sum of squares of the gradients in a range. The part of each segment in it
// is summed by itself.
double weighted_squares(model::ParamBuffer& params, const Range& range) {
  const float* g = params.grads().const_data_ptr<float>();
  double sum = 0;
  for (const model::Segment& s : params.segments()) {
    const Range part = common(s, range);
    if (s.frozen || part.size() <= 0) continue;
    double squares = 0;
    kernels::sum_of_squares(g + part.begin, part.size(), 0, 1, &squares);
    sum += norm_weight(s) * squares;
  }
  return sum;
}

// Returns the sum of squares of each block in these parts, which begin with a block, and zeros for
// the others.
std::vector<double> sums_of_blocks(model::ParamBuffer& params, const std::vector<Range>& parts) {
  const std::int64_t size = params.grads().numel();
  std::vector<std::int64_t> blocks;
  for (const Range& part : parts)
    for (std::int64_t begin = part.begin; begin < part.end; begin += kernels::kSumBlock)
      blocks.push_back(begin / kernels::kSumBlock);
  std::vector<double> partials(static_cast<std::size_t>(kernels::num_sum_blocks(size)));
  const bool plain = all_count_alike(params);
  const float* g = params.grads().const_data_ptr<float>();
  at::parallel_for(0, std::ssize(blocks), 2, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t block = blocks[static_cast<std::size_t>(i)];
      if (plain) {
        kernels::sum_of_squares(g, size, block, block + 1, partials.data());
        continue;
      }
      const std::int64_t begin = block * kernels::kSumBlock;
      partials[static_cast<std::size_t>(block)] =
          weighted_squares(params, {begin, std::min(size, begin + kernels::kSumBlock)});
    }
  });
  return partials;
}

double root_of_sum(const std::vector<double>& partials) {
  double sum = 0;
  for (const double partial : partials) sum += partial;
  return std::sqrt(sum);
}

at::Tensor norm_by_segments(model::ParamBuffer& params) {
  at::Tensor sum = at::zeros({}, at::TensorOptions(at::kDouble).device(params.grads().device()));
  for (const model::Segment& s : params.segments())
    if (!s.frozen)
      sum += norm_weight(s) *
             at::linalg_vector_norm(view_of(params.grads(), s)).to(at::kDouble).square();
  return sum.sqrt();
}

}  // namespace

void adamw_step_on(const std::vector<model::Segment>& segments, model::ParamBuffer& params,
                   const AdamWOptions& o, double lr, std::int64_t step, double gradient_factor) {
  const at::NoGradGuard no_grad;
  for (const model::Segment& segment : segments) {
    if (segment.frozen || segment.idle) {
      view_of(params.grads(), segment).zero_();
      continue;
    }
    const kernels::AdamWStep constants = constants_of(segment, o, lr, step, gradient_factor);
    if (params.own_cuda()) {
      step_by_cuda(params, segment, constants);
    } else if (own_kernels(params)) {
      step_by_kernel(params, segment, constants);
    } else {
      step_by_aten(params, segment, constants, step - segment.age.start);
    }
  }
}

void adamw_step(model::ParamBuffer& params, const AdamWOptions& o, double lr, std::int64_t step,
                double gradient_factor) {
  adamw_step_on(params.segments(), params, o, lr, step, gradient_factor);
  if (!params.own_cuda()) params.update_copy();
}

void adamw_step_of(const std::vector<Range>& parts, model::ParamBuffer& params,
                   const AdamWOptions& o, double lr, std::int64_t step, double gradient_factor) {
  // Parts are cut to pieces that threads can share, whatever their sizes.
  constexpr std::int64_t kPiece = 4 * kernels::kSumBlock;
  std::vector<Range> pieces;
  for (const Range& part : parts)
    for (std::int64_t begin = part.begin; begin < part.end; begin += kPiece)
      pieces.push_back({begin, std::min(part.end, begin + kPiece)});
  const auto step_on = [&](std::int64_t first, std::int64_t last) {
    std::vector<model::Segment> cut;
    for (std::int64_t i = first; i < last; ++i)
      for (model::Segment segment : params.segments()) {
        const Range part = common(segment, pieces[static_cast<std::size_t>(i)]);
        segment.offset = part.begin;
        segment.count = part.size();
        if (part.size() > 0) cut.push_back(segment);
      }
    adamw_step_on(cut, params, o, lr, step, gradient_factor);
  };
  if (!own_kernels(params)) return step_on(0, std::ssize(pieces));
  at::parallel_for(0, std::ssize(pieces), 1, step_on);
}

at::Tensor gradient_norm(model::ParamBuffer& params) {
  const at::NoGradGuard no_grad;
  if (own_kernels(params)) {
    const double norm = root_of_sum(sums_of_blocks(params, {{0, params.grads().numel()}}));
    return at::scalar_tensor(norm, at::kDouble);
  }
  if (!all_count_alike(params)) return norm_by_segments(params);
  if (params.own_cuda()) return model::cuda_norm(params.grads());
  return at::linalg_vector_norm(params.grads()).to(at::kDouble);
}

std::optional<double> gradient_norm_of(const std::vector<Range>& parts, model::ParamBuffer& params,
                                       const std::function<void(std::vector<double>&)>& sum) {
  if (!own_kernels(params)) return {};
  std::vector<double> partials = sums_of_blocks(params, parts);
  sum(partials);
  return root_of_sum(partials);
}

}  // namespace stagedtrain::train
