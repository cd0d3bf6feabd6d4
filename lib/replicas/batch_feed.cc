// Copies batches on a CUDA stream of its own. The step waits for an event that marks the end of the
// copy.
#include "replicas/batch_feed.h"

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "base/error.h"

namespace stagedtrain::train {

BatchFeed::BatchFeed(data::BatchStream stream, at::Device device, std::function<void()> check)
    : stream_(std::move(stream)), device_(device), check_(std::move(check)) {
  if (!device_.is_cpu())
    side_ = c10::impl::VirtualGuardImpl(device_.type()).getStreamFromGlobalPool(device_);
}

void BatchFeed::restart(data::BatchStream stream) {
  stream_ = std::move(stream);
  prepared_.reset();
}

DeviceBatch BatchFeed::read(const BatchShape& shape) {
  const data::Batch batch = stream_.next(shape.sequences, shape.length);
  check_();
  return {model::to_device(batch, device_), stream_.cursor().index};
}

void BatchFeed::prepare(const BatchShape& shape) {
  ST_CHECK(!prepared_, "a batch is prepared already");
  if (!side_) {
    prepared_.emplace(Prepared{shape, read(shape), {}});
    return;
  }
  const c10::StreamGuard beside(*side_);
  prepared_.emplace(Prepared{shape, read(shape), std::optional<c10::Event>(device_.type())});
  prepared_->copied->record(*side_);
}

DeviceBatch BatchFeed::take(const BatchShape& shape) {
  if (!prepared_) return read(shape);
  ST_CHECK(prepared_->shape == shape, "a batch of another shape was prepared");
  if (prepared_->copied) {
    const c10::Stream stream = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
    prepared_->copied->block(stream);
    // keeps its memory until the step's work is done
    prepared_->batch.tokens_BS.record_stream(stream);
  }
  const DeviceBatch batch = std::move(prepared_->batch);
  prepared_.reset();
  return batch;
}

}  // namespace stagedtrain::train
