// Sums the gradients of a step over its leaves and ranks, bucket by bucket, while the last backward
// pass of this rank still runs.
#pragma once

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "dist/flat_exchange.h"
#include "model/gradient_progress.h"
#include "model/param_buffer.h"

namespace stagedtrain::train {

// The runs of a model's flat buffers in the order in which a backward pass completes their
// gradients, for FlatExchange: units from the last to the first, then norms and biases.
std::vector<Range> runs_by_completion(model::ParamBuffer& params);

// What the last pass of a rank adds its gradients to is the last of the rank's nodes
// (base/sum_order.h), or a part of it. lefts are the sums of that node's other parts, the outermost
// first: they are added to `grads` from the last to the first. The earlier nodes are complete.
//
// Progress of the last pass starts a thread that makes all collective calls until finish(), and so
// no other thread may make any. Without progress, finish() does everything.
class GradientSum final : public model::GradientProgress {
 public:
  // For gradients in `grads`. nodes include `grads` as the last one, unless this rank has none.
  // exchange is made of runs_by_completion, and must outlive this object, as ranks must.
  GradientSum(dist::Ranks& ranks, dist::FlatExchange& exchange, std::int64_t head, at::Tensor grads,
              std::vector<at::Tensor> nodes, std::vector<at::Tensor> lefts, std::int64_t leaves)
      : ranks_(ranks),
        exchange_(exchange),
        head_(head),
        grads_(std::move(grads)),
        nodes_(std::move(nodes)),
        lefts_(std::move(lefts)),
        leaves_(leaves) {}
  // Leaves out the buckets whose exchange has not begun, unless finish() was called.
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  std::int64_t unit_of_head() const override { return head_; }
  void gradient_is_complete(std::int64_t unit) override;
  // Call this after the last pass. Returns when the parts of grads that this rank owns are the
  // sums over all leaves.
  void finish();

 private:
  void set_complete(std::int64_t buckets);
  void add_what_is_complete();
  void add(std::int64_t bucket);

  dist::Ranks& ranks_;
  dist::FlatExchange& exchange_;
  std::int64_t head_;
  at::Tensor grads_;
  std::vector<at::Tensor> nodes_, lefts_;
  std::int64_t leaves_;
  std::mutex mutex_;  // guards complete_ and given_up_
  std::condition_variable changed_;
  std::int64_t complete_ = 0;  // buckets
  bool given_up_ = false;
  std::exception_ptr failure_;  // what the thread threw
  std::jthread thread_;         // the last member, because it uses the others
};

}  // namespace stagedtrain::train
