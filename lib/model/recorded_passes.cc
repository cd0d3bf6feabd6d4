// Which passes are recorded, and whether a graph may be trusted.
#include "model/recorded_passes.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stagedtrain::model {
namespace {

// Passes of a shape before it is recorded: shapes of a ramp never are.
constexpr std::int64_t kPlainPasses = 3;
// Whole micro-batches, and the rest of a batch. Each graph keeps its activations.
constexpr std::size_t kMostShapes = 2;

double largest(const at::Tensor& x) {
  return at::linalg_vector_norm(x, std::numeric_limits<double>::infinity()).item<double>();
}

void warn(const std::string& why) {
  fmt::print(stderr, "warning: {}; passes run without a graph\n", why);
}

}  // namespace

RecordedPasses::RecordedPasses(MakeGraph make, at::Tensor grads, double allowed)
    : make_(std::move(make)), grads_(std::move(grads)), allowed_(allowed) {}

at::Tensor RecordedPasses::run(const at::Tensor& tokens_BS, double scale, const Pass& pass) {
  if (!make_) return pass(tokens_BS, scale);
  Recording& r = recording_of(tokens_BS, scale);
  if (r.graph) return replay(r, tokens_BS);
  if (++r.passes <= kPlainPasses) return pass(tokens_BS, scale);
  if (record(r, tokens_BS, pass)) return replay(r, tokens_BS);
  make_ = nullptr;
  recordings_.clear();
  return pass(tokens_BS, scale);
}

RecordedPasses::Recording& RecordedPasses::recording_of(const at::Tensor& tokens_BS, double scale) {
  const auto found = std::ranges::find_if(recordings_, [&](const Recording& r) {
    return r.tokens.sizes() == tokens_BS.sizes() && r.scale == scale;
  });
  if (found != recordings_.end()) {
    std::rotate(found, found + 1, recordings_.end());
  } else {
    if (recordings_.size() == kMostShapes) recordings_.erase(recordings_.begin());
    recordings_.push_back({scale, at::zeros_like(tokens_BS)});
  }
  return recordings_.back();
}

// Leaves the gradients as they were.
bool RecordedPasses::record(Recording& r, const at::Tensor& tokens_BS, const Pass& pass) {
  const at::NoGradGuard no_grad;
  at::Tensor before;
  try {
    before = grads_.clone();
    const double difference = difference_of(r, tokens_BS, pass);
    grads_.copy_(before);
    const bool agrees = difference <= allowed_;  // not if it is no number
    if (agrees) {
      fmt::print(stderr,
                 "passes of {} x {} tokens run as one graph: {:.2g} apart, {:.2g} allowed\n",
                 tokens_BS.size(0), tokens_BS.size(1) - 1, difference, allowed_);
    } else {
      warn(fmt::format("a recorded pass is {:.2g} apart from a plain one, {:.2g} allowed",
                       difference, allowed_));
    }
    return agrees;
  } catch (const c10::Error& error) {
    if (before.defined()) grads_.copy_(before);
    const std::string what = error.what_without_backtrace();
    warn("a pass could not be recorded: " + what.substr(0, what.find('\n')));
    return false;
  }
}

// Records, and takes the plain pass from the replayed one: with one buffer of gradients. Other
// tokens are recorded than replayed, so that a graph that does not read them shows.
double RecordedPasses::difference_of(Recording& r, const at::Tensor& tokens_BS, const Pass& pass) {
  r.loss = at::zeros_like(pass(tokens_BS, r.scale));
  r.graph = make_(tokens_BS.device());
  r.graph->record([pass, tokens = r.tokens, loss = r.loss, factor = r.scale] {
    loss.copy_(pass(tokens, factor));
  });
  grads_.zero_();
  const double loss = pass(tokens_BS, r.scale).item<double>(), scale = largest(grads_);
  grads_.neg_();
  const double replayed = replay(r, tokens_BS).item<double>();
  const double of_loss = std::abs(replayed - loss), of_gradients = largest(grads_) / scale;
  return of_loss + of_gradients;  // no number if either is none
}

at::Tensor RecordedPasses::replay(Recording& r, const at::Tensor& tokens_BS) {
  r.tokens.copy_(tokens_BS);
  r.graph->replay();
  return r.loss.clone();
}

}  // namespace stagedtrain::model
