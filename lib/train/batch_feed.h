// Batches on the device: while a step runs, the next one's is read and copied.
#pragma once

#include <c10/core/Event.h>

#include <functional>
#include <optional>

#include "data/batch_stream.h"
#include "model/model.h"

namespace stagedtrain::train {

struct BatchShape {
  std::int64_t sequences = 0, length = 0;  // as BatchStream::next takes them
  bool operator==(const BatchShape&) const = default;
};

struct DeviceBatch {
  at::Tensor tokens_BS;   // int64, [rows, length + 1], on the device
  std::int64_t next = 0;  // the index of the first sequence after it
  std::int64_t rows() const { return tokens_BS.size(0); }
  std::int64_t length() const { return tokens_BS.size(1) - 1; }
};

class BatchFeed {
 public:
  // check is called after every read, before the batch is used. It throws if the file no longer
  // holds what it held, so that no step is ever made on other tokens.
  BatchFeed(data::BatchStream stream, at::Device device, std::function<void()> check);

  // The batch after the last one taken; at once if it was prepared. Throws as BatchStream::next and
  // as check do.
  DeviceBatch take(const BatchShape& shape);
  // Reads the batch that the next call of take will ask for. On a GPU it is copied from pinned
  // memory beside whatever work the device has. Throws as BatchStream::next.
  void prepare(const BatchShape& shape);

 private:
  struct Prepared {
    BatchShape shape;
    DeviceBatch batch;
    std::optional<c10::Event> copied;  // on a GPU
  };
  DeviceBatch read(const BatchShape& shape);

  data::BatchStream stream_;
  at::Device device_;
  std::function<void()> check_;
  std::optional<c10::Stream> side_;  // copies, on a GPU
  std::optional<Prepared> prepared_;
};

}  // namespace stagedtrain::train
