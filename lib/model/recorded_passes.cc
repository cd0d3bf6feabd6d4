// Decides which passes are recorded as a graph, and checks every graph before it is used.
//
// A pass consists of hundreds of small kernels, whose launches a graph replaces by one. A graph
// repeats the same work on the same memory. It reads its tokens from r.tokens and writes its loss
// to r.loss; scale is fixed, so passes with another scale or shape need a graph of their own.
//
// The check: record a pass with all tokens zero, run a plain pass on the batch, negate its
// gradients, and replay the graph on the batch, which adds its own. What is left in the buffer is
// the difference of the two, so no second gradient buffer is needed for the comparison. Recording
// with other tokens than the batch's exposes a graph that does not read its input. The gradients
// that were there before the check are restored from a copy.
//
// Invariant: if recording or the check fails, the results of the run are those of plain passes.
#include "model/recorded_passes.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/terminal.h"

namespace stagedtrain::model {
namespace {

// The number of plain passes of a shape before it is recorded. Shapes of a batch-size ramp change
// too often to reach it.
constexpr std::int64_t kPlainPasses = 3;
// One shape for full micro-batches, and one for the rest of a batch. Each graph keeps its
// activations.
constexpr std::size_t kMostShapes = 2;

double largest(const at::Tensor& x) {
  return at::linalg_vector_norm(x, std::numeric_limits<double>::infinity()).item<double>();
}

void warn(const std::string& why) {
  print_to_stderr("warning: " + why + "; passes run without a CUDA graph\n");
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

// Records a graph and compares it with a plain pass. Leaves the gradients as they were.
bool RecordedPasses::record(Recording& r, const at::Tensor& tokens_BS, const Pass& pass) {
  const at::NoGradGuard no_grad;
  at::Tensor before;
  try {
    before = grads_.clone();
    const double difference = difference_of(r, tokens_BS, pass);
    grads_.copy_(before);
    const bool agrees = difference <= allowed_;  // false for NaN
    if (agrees) {
      print_to_stderr(fmt::format(
          "passes of {} x {} tokens run as one CUDA graph: {:.2g} apart, {:.2g} allowed\n",
          tokens_BS.size(0), tokens_BS.size(1) - 1, difference, allowed_));
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

// Records a graph and returns how far its loss and gradients are from those of a plain pass.
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
  return of_loss + of_gradients;  // NaN if either is NaN
}

at::Tensor RecordedPasses::replay(Recording& r, const at::Tensor& tokens_BS) {
  r.tokens.copy_(tokens_BS);
  r.graph->replay();
  return r.loss.clone();
}

}  // namespace stagedtrain::model
