// Training passes by a graph of device work that was recorded once: one launch in place of
// hundreds.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace stagedtrain::model {

// Device work on fixed memory, recorded to run again.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;
  // Runs work once to warm up, then records what it would do, without doing it. Throws c10::Error
  // where that cannot be; the device works on.
  virtual void record(const std::function<void()>& work) = 0;
  virtual void replay() = 0;
};
using MakeGraph = std::function<std::unique_ptr<DeviceGraph>(at::Device)>;

// Graphs of CUDA; empty where this build has none.
MakeGraph cuda_graphs();

// Runs passes of one model, those of a shape that comes often by a graph. A graph is used only
// after its replay gave the same loss and gradients as the plain pass, on the batch at hand; the
// first that fails in this, or in being recorded, is the last: a warning, and all passes run
// plainly.
class RecordedPasses {
 public:
  // Adds scale times the gradients of a batch to the buffer and returns the loss; waits for no
  // result of the device and asks for nothing random.
  using Pass = std::function<at::Tensor(const at::Tensor& tokens_BS, double scale)>;
  // make: may be empty. grads: what passes add to. allowed: the largest difference of a loss, or
  // of a gradient relative to the largest.
  RecordedPasses(MakeGraph make, at::Tensor grads, double allowed);

  // pass(tokens_BS, scale), perhaps by a graph.
  at::Tensor run(const at::Tensor& tokens_BS, double scale, const Pass& pass);
  // Drops the graphs: passes are another work from now on.
  void forget() { recordings_.clear(); }

 private:
  struct Recording {
    double scale;
    at::Tensor tokens, loss;  // what the graph reads and writes
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
  std::vector<Recording> recordings_;  // the last used stands last
};

}  // namespace stagedtrain::model
