// CUDA graphs by LibTorch.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>

#include "model/recorded_passes.h"

namespace stagedtrain::model {
namespace {

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(at::Device device) : device_(device), pool_(at::cuda::graph_pool_handle()) {}

  // On a stream of its own, as a capture must be; what the warm-up leaves cached there is freed,
  // since the graph's memory comes from a pool of its own.
  void record(const std::function<void()>& work) override {
    c10::cuda::getCurrentCUDAStream(device_.index()).synchronize();
    const c10::cuda::CUDAStreamGuard side(c10::cuda::getStreamFromPool(false, device_.index()));
    work();
    side.current_stream().synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();
    try {
      graph_.capture_begin(pool_);
      work();
      graph_.capture_end();
    } catch (...) {
      abandon();
      throw;
    }
  }

  void replay() override { graph_.replay(); }

 private:
  // LibTorch leaves a failed capture half open: allocations would go on to ask for its stream.
  void abandon() {
    try {
      return graph_.capture_end();
    } catch (const c10::Error&) {  // as it must, for one that failed
    }
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device_.index(), pool_);
      c10::cuda::CUDACachingAllocator::releasePool(device_.index(), pool_);
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool_);
    } catch (const c10::Error&) {  // capture_end had come as far as this
    }
  }

  at::Device device_;
  at::cuda::MempoolId_t pool_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

MakeGraph cuda_graphs() {
  return [](at::Device device) { return std::make_unique<CudaGraph>(device); };
}

}  // namespace stagedtrain::model
