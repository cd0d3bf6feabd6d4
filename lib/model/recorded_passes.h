// Runs training passes as recorded graphs of device work: one launch instead of hundreds.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace stagedtrain::model {

// Work on fixed device memory that is recorded once and can be replayed.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  // Runs work once to warm up, then records it without executing it. Throws c10::Error if it cannot
  // be recorded; the device remains usable.
  virtual void record(const std::function<void()>& work) = 0;
  virtual void replay() = 0;
};
using MakeGraph = std::function<std::unique_ptr<DeviceGraph>(at::Device)>;

// Returns a maker of CUDA graphs, or an empty function if this build has none.
MakeGraph cuda_graphs();

// Runs the passes of one model, and replays a graph for shapes that recur. A graph is used only if
// its replay reproduced the loss and the gradients of a plain pass on the current batch. After the
// first failure of this check or of recording, it prints a warning and runs all passes without
// graphs.
class RecordedPasses {
 public:
  // Adds scale times the gradients of a batch to the gradient buffer and returns the loss. Must
  // neither wait for the device nor draw random numbers.
  using Pass = std::function<at::Tensor(const at::Tensor& tokens_BS, double scale)>;
  // make may be empty. grads is the buffer that passes add to. allowed bounds the sum of the
  // differences of the loss and of the gradients, the latter relative to the largest gradient.
  RecordedPasses(MakeGraph make, at::Tensor grads, double allowed);

  // Runs pass(tokens_BS, scale), as a graph if there is one.
  at::Tensor run(const at::Tensor& tokens_BS, double scale, const Pass& pass);
  // Drops all graphs. Call this when passes change.
  void forget() { recordings_.clear(); }

 private:
  struct Recording {
    double scale;
    at::Tensor tokens, loss;  // the graph's input and output
    std::int64_t passes = 0;
    std::unique_ptr<DeviceGraph> graph;
  };
  Recording& recording_of(const at::Tensor& tokens_BS, double scale);
  bool record(Recording& r, const at::Tensor& tokens_BS, const Pass& pass);
  double difference_of(Recording& r, const at::Tensor& tokens_BS, const Pass& pass);
  at::Tensor replay(Recording& r, const at::Tensor& tokens_BS);

  MakeGraph make_;
  at::Tensor grads_;
  double allowed_;
  std::vector<Recording> recordings_;  // the most recently used is last
};

}  // namespace stagedtrain::model
