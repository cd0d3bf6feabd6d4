// Writes tensors of a checkpoint beside the process that lays it out and names it.
#include <fcntl.h>

#include <utility>

#include "checkpoint/checkpoint.h"
#include "checkpoint/tensor_places.h"

namespace stagedtrain::state {

struct CheckpointPart::Impl {
  Impl(const CheckpointFile& file, const StateHeader& header)
      : places(header, file.metadata_bytes, file.tokenizer_bytes, file.path.string()),
        out(file.path, OutputFile::Mode::existing),
        stream(out, most_waiting(places.layout())) {}

  TensorPlaces places;
  std::vector<std::size_t> written;  // datasets, in their order
  OutputFile out;
  StreamOutput stream;
};

bool CheckpointPart::may_write(std::uint64_t bytes) { return bytes >= kLargeBytes; }

CheckpointPart::CheckpointPart(const CheckpointFile& file, const StateHeader& header)
    : impl_(std::make_unique<Impl>(file, header)) {}
CheckpointPart::~CheckpointPart() = default;

void CheckpointPart::write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes,
                           std::shared_ptr<const void> owner) {
  const std::size_t dataset = impl_->places.tensor(kind, index);
  ST_CHECK(may_write(bytes.size()), "{} bytes are for the writer", bytes.size());
  impl_->places.take(dataset, bytes.size());
  impl_->written.push_back(dataset);
  impl_->places.write_large(impl_->stream, dataset, bytes, std::move(owner));
}

std::vector<std::uint32_t> CheckpointPart::finish() {
  impl_->stream.drain();
  impl_->out.sync();
  // The writer reads back the disk, not what this host remembers.
  ::posix_fadvise(impl_->out.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
  std::vector<std::uint32_t> checksums;
  for (const std::size_t dataset : impl_->written)
    for (const IndexRow& row : impl_->places.rows_of(dataset)) checksums.push_back(row.crc32c);
  return checksums;
}

}  // namespace stagedtrain::state
