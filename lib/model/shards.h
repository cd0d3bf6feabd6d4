// Declares what a model calls if it holds only a part of its weights and gradients (ZeRO-3), as one
// of several ranks.
//
// Weights are complete in units: the embeddings, each block, and the head. A model acquires a unit
// before it reads its matrices, and releases it afterwards. The buffers keep their full length and
// their addresses; what a rank does not hold takes no memory (io/given_back.h) and reads as zero.
// Norms and biases, which are less than a percent of a model, are always complete.
//
// Calls are collective: every rank makes the same ones in the same order, except in passes that
// leave out blocks (begin_pass).
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/sum_order.h"
#include "model/gradient_progress.h"

namespace stagedtrain::model {

class ParamBuffer;

class Shards : public GradientProgress {
 public:
  // The matrices of a unit in the flat buffers.
  virtual Range matrices_of(std::int64_t unit) const = 0;
  // Makes the weights of a unit complete (of the bfloat16 copy, if there is one) until as many
  // calls of release() as of acquire().
  virtual void acquire(std::int64_t unit) = 0;
  virtual void release(std::int64_t unit) = 0;

  // Encloses a pass in which rank r computes leaf first + r of the step's `leaves`, if there is
  // one. After the last pass of a step, params.grads() holds the sum over all leaves, in the order
  // of base/sum_order.h, in the parts that this rank owns, and zeros elsewhere. skips: the passes
  // of some ranks may leave out blocks, and calls for these.
  virtual void begin_pass(std::int64_t first, std::int64_t leaves, bool skips) = 0;
  virtual void end_pass() = 0;
  // Call this after each rank has changed the weights that it owns. Updates the copy, too.
  virtual void own_weights_changed() = 0;

  // The parts of the flat buffers that this rank owns, in ascending order. They begin at multiples
  // of kernels::kSumBlock.
  virtual const std::vector<Range>& own() const = 0;
  // The first element from which on weights and gradients are always complete.
  virtual std::int64_t complete_from() const = 0;
  // Copies a range of a flat buffer from the ranks that own it to `out`, or to that of one rank
  // only.
  virtual void collect(const at::Tensor& flat, const Range& range, at::Tensor& out,
                       std::optional<int> receiver) = 0;
};

// Creates the shards of a model. The buffer outlives them.
using MakeShards = std::function<std::unique_ptr<Shards>(ParamBuffer&)>;

}  // namespace stagedtrain::model
