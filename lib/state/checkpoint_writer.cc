// Writing: structure laid out in memory, tensors straight to their places, then checked and
// renamed.
#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "arch/architectures.h"
#include "base/stream_output.h"
#include "base/text.h"
#include "state/blocks.h"
#include "state/layout.h"
#include "state/metadata.h"

namespace stagedtrain::state {
namespace {

Dataset bytes_dataset(const char* name, std::string_view bytes) {
  return {"", name, ElementType::u8, {static_cast<std::int64_t>(bytes.size())}};
}
bool has_tokenizer(const RunInfo& run) {
  return !run.tokenizer.empty() && run.tokenizer != "bytes";
}

// The text datasets come last, so that the tensors' offsets are multiples of their element size.
std::vector<Dataset> all_datasets(const arch::ParamTable& table, const StateHeader& header,
                                  const std::string& metadata) {
  std::vector<Dataset> datasets = tensor_datasets(table, header.dtype);
  datasets.push_back(bytes_dataset(kMetadata, metadata));
  if (has_tokenizer(header.run))
    datasets.push_back(bytes_dataset(kTokenizer, header.run.tokenizer));
  return datasets;
}

std::uint64_t largest_of(const std::vector<Dataset>& datasets) {
  std::uint64_t largest = 0;
  for (const Dataset& dataset : datasets) largest = std::max(largest, dataset.bytes);
  return largest;
}

}  // namespace

struct CheckpointWriter::Impl {
  Impl(const Path& target, const StateHeader& header)
      : table(arch::param_table(header.model)),
        metadata(metadata_json(header).dump()),
        skeleton(kFormatName, kFormatVersion, all_datasets(table, header, metadata)),
        checksums(skeleton.datasets().size()),
        atomic(target) {
    out.emplace(atomic.path(), OutputFile::Mode::truncate);
    out->allocate(skeleton.file_bytes());
    write(3 * table.size(), std::as_bytes(std::span(metadata)));
    if (has_tokenizer(header.run))
      write(3 * table.size() + 1, std::as_bytes(std::span(header.run.tokenizer)));
  }

  std::size_t tensor(Kind kind, std::size_t index) const {
    ST_CHECK(index < table.size(), "tensor {} of {}", index, table.size());
    return dataset_index(kind, index, table.size());
  }

  // Returns at once where the bytes are many: they must stay until drained or owner is let go of.
  void write(std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner = nullptr) {
    const Dataset& dataset = skeleton.datasets().at(index);
    std::vector<std::uint32_t>& sums = checksums[index];
    ST_CHECK(bytes.size() == dataset.bytes, "{} bytes for {}", bytes.size(), dataset.path());
    ST_CHECK(sums.empty(), "{} is written twice", dataset.path());
    sums.resize(num_blocks(bytes.size()));
    const auto look = [&sums](std::uint64_t start, std::span<const std::byte> piece) {
      for (std::uint64_t i = 0; i < num_blocks(piece.size()); ++i)
        sums[start / kBlockBytes + i] = block_checksum(piece, i);
    };
    static_assert(StreamOutput::kPiece % kBlockBytes == 0);
    if (bytes.size() >= kStreamed) {
      if (!stream) stream.emplace(*out, largest_of(skeleton.datasets()));
      stream->write_at(dataset.offset, bytes, look, std::move(owner));
    } else {
      look(0, bytes);
      out->write_at(dataset.offset, bytes);
    }
  }

  void drain() {
    if (stream) stream->drain();
  }

  void write_structure() {
    for (std::size_t i = 0; i < checksums.size(); ++i) {
      ST_CHECK(!checksums[i].empty(), "{} was not written", skeleton.datasets()[i].path());
      skeleton.set_checksums(i, checksums[i]);
    }
    skeleton.finish().for_each_run(
        [&](std::uint64_t offset, std::span<const std::byte> run) { out->write_at(offset, run); });
    out->truncate(skeleton.file_bytes());
    out->sync();
    ::posix_fadvise(out->descriptor(), 0, 0,
                    POSIX_FADV_DONTNEED);  // verify the disk, not the cache
    out->close();
  }

  // What the disk gives back is what was written, or the file never takes its name.
  void verify() const try {
    CheckpointReader(atomic.path()).verify(std::max(kVerified, skeleton.file_bytes() / 64));
  } catch (const Error& error) {
    throw resource_error("{}: what was read back is not what was written: {}",
                         atomic.path().string(), error.what())
        .with_hint(
            "the disk or the memory of this machine is faulty; the older checkpoint was kept");
  }

  // Smaller tensors are not worth a thread.
  static constexpr std::uint64_t kStreamed = 1 << 16;

  arch::ParamTable table;
  std::string metadata;
  Skeleton skeleton;
  std::vector<std::vector<std::uint32_t>> checksums;  // of each dataset; empty: not written yet
  AtomicFile atomic;
  std::optional<OutputFile> out;  // closed before the temporary file is removed
  std::optional<StreamOutput> stream;
};

CheckpointWriter::CheckpointWriter(const Path& target, const StateHeader& header)
    : impl_(std::make_unique<Impl>(target, header)) {}
CheckpointWriter::~CheckpointWriter() = default;

void CheckpointWriter::write(Kind kind, std::size_t index, std::span<const std::byte> bytes) {
  impl_->write(impl_->tensor(kind, index), bytes);
  if (bytes.size() >= Impl::kStreamed) impl_->drain();
}

void CheckpointWriter::write(Kind kind, std::size_t index, HostTensor&& tensor) {
  auto owner = std::make_shared<const HostTensor>(std::move(tensor));
  const std::span<const std::byte> bytes = owner->bytes();
  impl_->write(impl_->tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::write(Kind kind, std::size_t index, std::span<const std::byte> bytes,
                             std::shared_ptr<const void> owner) {
  impl_->write(impl_->tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::commit() {
  impl_->drain();
  impl_->write_structure();
  impl_->verify();
  impl_->atomic.commit();
}

}  // namespace stagedtrain::state
