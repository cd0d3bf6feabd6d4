// Records and replays device work as CUDA graphs through LibTorch.
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

  // Capture must not use the default stream, so work runs on a stream from the pool. The graph
  // allocates from its own memory pool, so the cached memory of the warm-up is freed first.
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
  // LibTorch leaves a failed capture half open: its allocators would go on checking every
  // allocation against the capture's stream.
  void abandon() {
    try {
      return graph_.capture_end();
    } catch (const c10::Error&) {  // expected after a failed capture
    }
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(device_.index(), pool_);
      c10::cuda::CUDACachingAllocator::releasePool(device_.index(), pool_);
      at::getHostAllocator(at::kCUDA)->end_allocate_to_pool(pool_);
    } catch (const c10::Error&) {  // capture_end already released the pool
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
