// Exchanges buckets of gradients on another thread, as soon as they are complete.
//
// Invariant: all ranks exchange the same buckets in the same order, whatever layers their passes
// run and whether they report progress.
#include "optim/gradient_sum.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <omp.h>

#include <ranges>

#include "base/parallel.h"
#include "optim/matrix_units.h"

namespace stagedtrain::train {

std::vector<Range> runs_by_completion(model::ParamBuffer& params) {
  constexpr std::int64_t kUnit = dist::FlatExchange::kSliceUnit;
  const MatrixUnits units = matrix_units(params);
  const std::int64_t last = units.runs.back().end / kUnit;
  std::vector<Range> runs;
  for (const Range& unit : units.runs | std::views::reverse) {
    const Range blocks = blocks_begun_in(unit, kUnit, last);
    runs.push_back({blocks.begin * kUnit, blocks.end * kUnit});
  }
  runs.push_back({last * kUnit, params.weights().numel()});
  return runs;
}

GradientSum::~GradientSum() {
  {
    const std::scoped_lock lock(mutex_);
    given_up_ = true;
  }
  changed_.notify_one();
}

// Unit 0 completes all runs but that of norms and biases.
void GradientSum::gradient_is_complete(std::int64_t unit) {
  if (ranks_.alone()) return;
  set_complete(exchange_.buckets_within(exchange_.runs() - 1 - unit));
}

void GradientSum::set_complete(std::int64_t buckets) {
  {
    const std::scoped_lock lock(mutex_);
    complete_ = std::max(complete_, buckets);
    if (complete_ == 0) return;
  }
  changed_.notify_one();
  if (thread_.joinable()) return;
  thread_ = try_thread([this] {
    try {
      add_what_is_complete();
    } catch (...) {
      failure_ = std::current_exception();
    }
  });
}

void GradientSum::add_what_is_complete() {
  // ATen's operations on this thread start no threads of their own beside those of the pass. The
  // first call sets the number of a new thread, and must come before.
  at::get_num_threads();
  omp_set_num_threads(1);
  const at::NoGradGuard no_grad;
  for (std::int64_t bucket = 0; bucket < exchange_.buckets(); ++bucket) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return complete_ > bucket || given_up_; });
      if (given_up_) return;
    }
    add(bucket);
  }
}

void GradientSum::add(std::int64_t bucket) {
  const Range& range = exchange_.bucket(bucket);
  for (const at::Tensor& left : lefts_ | std::views::reverse)
    grads_.narrow(0, range.begin, range.size()).add_(left.narrow(0, range.begin, range.size()));
  exchange_.add(bucket, grads_, nodes_, leaves_);
}

void GradientSum::finish() {
  if (!thread_.joinable()) {
    for (std::int64_t bucket = 0; bucket < exchange_.buckets(); ++bucket) add(bucket);
    return;
  }
  set_complete(exchange_.buckets());
  ranks_.wait([&] { thread_.join(); });
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace stagedtrain::train
