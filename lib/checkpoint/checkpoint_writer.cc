// Writes a checkpoint: large tensors as they come, everything else at the end, then verifies it.
//
// Goal: saving should be limited by the disk. Tensors of 64 KiB and more go to their final places
// while the caller continues; the threads of a StreamOutput compute their checksums and write them
// past the page cache. Everything else (header block, structure, index, small tensors, metadata,
// tokenizer) is gathered in memory, the "front", and written last in one piece. HDF5 creates the
// structure at commit(), while the disk still writes tensors: the layout is known beforehand and
// does not depend on it (checkpoint/layout.h).
//
// Invariant: the target has its name only after its bytes were written, synced, read back from the
// disk and compared with their checksums. A state that holds a NaN or an infinity, or metadata that
// the reader would refuse, is never written.
//
// Rejected, with the measurements in docs/performance.md:
// - Writing through the page cache took 3 to 7 s a GB on a virtual machine.
// - One write for each small tensor left the disk waiting between large ones: 4% of a save of 2 GB.
// - Reading back the whole file takes as long as writing it, so large files are sampled
//   (kVerified).
// - Writing tensors through HDF5 would do so from one thread and through the cache.
#include <fcntl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "arch/architectures.h"
#include "base/crc32c.h"
#include "checkpoint/checkpoint_index.h"
#include "checkpoint/hdf5_structure.h"
#include "checkpoint/metadata.h"
#include "io/memory_advice.h"
#include "io/stream_output.h"
#include "state/finite.h"
#include "text/json.h"

namespace stagedtrain::state {
namespace {

bool has_tokenizer(const RunInfo& run) {
  return !run.tokenizer.empty() && run.tokenizer != "bytes";
}

Layout layout_of(const arch::ParamTable& table, const StateHeader& header,
                 const std::string& metadata) {
  std::vector<Dataset> datasets = tensor_datasets(table, header.dtype, header.ema);
  datasets.push_back(text_dataset(kMetadata, metadata.size()));
  if (has_tokenizer(header.run))
    datasets.push_back(text_dataset(kTokenizer, header.run.tokenizer.size()));
  return arrange(std::move(datasets));
}

// Returns how many bytes may wait to be written: the largest tensor, or enough to keep all threads
// busy.
std::uint64_t most_waiting(const Layout& layout) {
  std::uint64_t most = 4 * StreamOutput::kPiece;
  for (const Dataset& dataset : layout.datasets) most = std::max(most, dataset.bytes);
  return most;
}

}  // namespace

struct CheckpointWriter::Impl {
  Impl(const Path& target, const StateHeader& header, Replace replace)
      : where(target.string()),
        table(arch::param_table(header.model)),
        tensors(header.kinds().size() * table.size()),
        dtype(header.dtype),
        metadata(json_text(metadata_json(header), -1)),
        layout(layout_of(table, header, metadata)),
        rows(index_rows(layout)),
        written(layout.datasets.size()),
        front(large_memory(layout.front_bytes)),
        atomic(target, replace),
        out(atomic.path(), OutputFile::Mode::truncate),
        stream(out, most_waiting(layout)) {
    check_metadata();
    if (has_tokenizer(header.run)) tokenizer = header.run.tokenizer;
    std::size_t row = num_blocks(layout.structure_bytes);
    for (const Dataset& dataset : layout.datasets)
      first_row.push_back(std::exchange(row, row + num_blocks(dataset.bytes)));
    out.allocate(layout.file_bytes);
  }

  // Finds a value that the reader would refuse before anything is written, not when the file is
  // read back.
  void check_metadata() const try {
    ST_CHECK(metadata.size() <= kMostMetadata, "{} bytes of metadata", metadata.size());
    const Metadata read = parse_metadata(metadata);
    parse_histories(read.histories, table, read.header.progress.step);
  } catch (const Error& error) {
    throw make_error(ErrorKind::bug, "{}: was not written: metadata: {}", where, error.what());
  }

  std::span<std::byte> front_bytes(std::uint64_t offset, std::uint64_t bytes) {
    return std::span(front.get(), layout.front_bytes).subspan(offset, bytes);
  }
  bool is_tensor(std::size_t dataset) const { return dataset < tensors; }
  std::size_t tensor(TensorKind kind, std::size_t index) const {
    ST_CHECK(index < table.size(), "tensor {} of {}", index, table.size());
    return dataset_index(kind, index, table.size());
  }

  // The bytes must stay unchanged until the stream is drained or, if there is an owner, until it is
  // released.
  void write(std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner = nullptr) {
    const Dataset& dataset = layout.datasets.at(index);
    ST_CHECK(bytes.size() == dataset.bytes, "{} bytes for {}", bytes.size(), dataset.path());
    ST_CHECK(!written[index], "{} is written twice", dataset.path());
    if (layout.in_front(dataset)) {
      check_and_sum(index, 0, bytes);
      std::ranges::copy(bytes, front_bytes(dataset.offset, dataset.bytes).begin());
    } else {
      const auto on_piece = [this, index](std::uint64_t start, std::span<const std::byte> piece) {
        check_and_sum(index, start, piece);
      };
      stream.write_at({dataset.offset, bytes, Rest::zeroed, on_piece, std::move(owner)});
    }
    written[index] = true;
  }

  // Checks and checksums a part of a dataset that begins at a multiple of kBlockBytes. Several
  // threads call this at the same time.
  void check_and_sum(std::size_t dataset, std::uint64_t start, std::span<const std::byte> bytes) {
    static_assert(StreamOutput::kPiece % kBlockBytes == 0);
    for (IndexRow* row = &rows[first_row[dataset] + start / kBlockBytes]; !bytes.empty(); ++row) {
      const auto block = bytes.first(std::min<std::uint64_t>(kBlockBytes, bytes.size()));
      row->crc32c = crc32c(block);
      if (is_tensor(dataset) && !all_finite(block, dtype))
        throw make_error(ErrorKind::diverged, "{}: was not written: {} holds a NaN or an infinity",
                         where, layout.datasets[dataset].path())
            .with_hint("an older file of this name was kept");
      bytes = bytes.subspan(block.size());
    }
  }

  void write_front() {
    const std::vector<std::byte> structure = hdf5_structure(layout);
    std::ranges::copy(structure, front.get());
    write(tensors, std::as_bytes(std::span(metadata)));
    if (!tokenizer.empty()) write(tensors + 1, std::as_bytes(std::span(tokenizer)));
    stream.drain();
    for (std::size_t i = 0; i + 1 < written.size(); ++i)
      ST_CHECK(written[i], "{} was not written", layout.datasets[i].path());
    for (std::size_t i = 0; i < num_blocks(layout.structure_bytes); ++i)
      rows[i].crc32c = crc32c(front_bytes(rows[i].offset, rows[i].bytes));
    write_index(layout, rows, front_bytes(0, layout.front_bytes));
    stream.write_at({0, front_bytes(0, layout.front_bytes), Rest::zeroed});
    stream.drain();
  }

  void sync() {
    out.truncate(layout.file_bytes);
    out.sync();
    // Drops the file from the page cache, so that verify() reads the disk.
    ::posix_fadvise(out.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    out.close();
  }

  // The file gets its name only if the disk returns what was written.
  void verify() const try {
    CheckpointReader(atomic.path()).verify(std::max(kVerified, layout.file_bytes / 64));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // too little memory is not the disk's fault
    throw resource_error("{}: what was read back is not what was written: {}",
                         atomic.path().string(), error.what())
        .with_hint(
            "the disk or the memory of this machine is faulty; the older checkpoint was kept");
  }

  std::string where;
  arch::ParamTable table;
  std::size_t tensors;  // how many datasets are tensors; metadata and tokenizer follow
  DType dtype;
  std::string metadata, tokenizer;
  Layout layout;
  std::vector<IndexRow> rows;
  std::vector<std::size_t> first_row;  // the first row of each dataset
  std::vector<bool> written;           // whether each dataset was written
  LargeMemory front;
  AtomicFile atomic;
  OutputFile out;  // must close before the temporary file is removed
  StreamOutput stream;
};

CheckpointWriter::CheckpointWriter(const Path& target, const StateHeader& header, Replace replace)
    : impl_(std::make_unique<Impl>(target, header, replace)) {}
CheckpointWriter::~CheckpointWriter() = default;

void CheckpointWriter::write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes) {
  impl_->write(impl_->tensor(kind, index), bytes);
  impl_->stream.drain();
}

void CheckpointWriter::write(TensorKind kind, std::size_t index, HostTensor&& tensor) {
  auto owner = std::make_shared<const HostTensor>(std::move(tensor));
  const std::span<const std::byte> bytes = owner->bytes();
  impl_->write(impl_->tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes,
                             std::shared_ptr<const void> owner) {
  impl_->write(impl_->tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::commit() {
  impl_->write_front();
  impl_->sync();
  impl_->verify();
  impl_->atomic.commit();
}

}  // namespace stagedtrain::state
