// Provides batches on the device. The next batch is read and copied while a step runs.
#pragma once

#include <c10/core/Event.h>

#include <functional>
#include <optional>

#include "data/batch_stream.h"
#include "model/model.h"

namespace stagedtrain::train {

struct BatchShape {
  std::int64_t sequences = 0, length = 0;  // as in BatchStream::next
  bool operator==(const BatchShape&) const = default;
};

struct DeviceBatch {
  at::Tensor tokens_BS;   // int64, [rows, length + 1], on the device
  std::int64_t next = 0;  // index of the first sequence after this batch
  std::int64_t rows() const { return tokens_BS.size(0); }
  std::int64_t length() const { return tokens_BS.size(1) - 1; }
};

class BatchFeed {
 public:
  // check is called after every read, before the batch is used. It must throw if the token file has
  // changed, so that no step uses other tokens than the run's.
  BatchFeed(data::BatchStream stream, at::Device device, std::function<void()> check);

  // Switches to another stream, and drops a batch that was prepared.
  void restart(data::BatchStream stream);

  // Returns the next batch, without a wait if it was prepared. Throws what BatchStream::next and
  // check throw.
  DeviceBatch take(const BatchShape& shape);
  // Reads the batch that the next call of take will return. On a GPU, it is copied from pinned
  // memory while the device does other work. Throws what BatchStream::next and check throw.
  void prepare(const BatchShape& shape);

 private:
  struct Prepared {
    BatchShape shape;
    DeviceBatch batch;
    std::optional<c10::Event> copied;  // only on a GPU
  };
  DeviceBatch read(const BatchShape& shape);

  data::BatchStream stream_;
  at::Device device_;
  std::function<void()> check_;
  std::optional<c10::Stream> side_;  // for copies, only on a GPU
  std::optional<Prepared> prepared_;
};

}  // namespace stagedtrain::train
