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

#include "base/crc32c.h"
#include "checkpoint/hdf5_structure.h"
#include "checkpoint/metadata.h"
#include "checkpoint/metadata_checks.h"
#include "checkpoint/tensor_places.h"
#include "io/memory_advice.h"
#include "text/json.h"

namespace stagedtrain::state {
namespace {

bool has_tokenizer(const RunInfo& run) {
  return !run.tokenizer.empty() && run.tokenizer != "bytes";
}

}  // namespace

struct CheckpointWriter::Impl {
  Impl(const Path& target, const StateHeader& header, Replace replace)
      : where(target.string()),
        metadata(json_text(metadata_json(header), -1)),
        tokenizer(has_tokenizer(header.run) ? header.run.tokenizer : ""),
        places(header, metadata.size(), tokenizer.size(), where),
        front(large_memory(layout().front_bytes)),
        atomic(target, replace),
        out(atomic.path(), OutputFile::Mode::truncate),
        stream(out, most_waiting(layout())) {
    check_metadata();
    out.allocate(layout().file_bytes);
  }

  const Layout& layout() const { return places.layout(); }

  // Finds a value that the reader would refuse before anything is written, not when the file is
  // read back.
  void check_metadata() const try {
    ST_CHECK(metadata.size() <= kMostMetadata, "{} bytes of metadata", metadata.size());
    const Metadata read = parse_metadata(metadata);
    parse_histories(read.histories, places.table(), read.header.progress.step);
    check_adapters(read.header, places.table());
  } catch (const Error& error) {
    throw make_error(ErrorKind::bug, "{}: was not written: metadata: {}", where, error.what());
  }

  std::span<std::byte> front_bytes(std::uint64_t offset, std::uint64_t bytes) {
    return std::span(front.get(), layout().front_bytes).subspan(offset, bytes);
  }

  // The bytes must stay unchanged until the stream is drained or, if there is an owner, until it is
  // released.
  void write(std::size_t index, std::span<const std::byte> bytes,
             std::shared_ptr<const void> owner = nullptr) {
    places.take(index, bytes.size());
    const Dataset& dataset = layout().datasets[index];
    if (!layout().in_front(dataset)) {
      places.write_large(stream, index, bytes, std::move(owner));
      return;
    }
    places.check_and_sum(index, 0, bytes);
    std::ranges::copy(bytes, front_bytes(dataset.offset, dataset.bytes).begin());
  }

  void write_front() {
    const std::vector<std::byte> structure = hdf5_structure(layout());
    std::ranges::copy(structure, front.get());
    write(places.tensors(), std::as_bytes(std::span(metadata)));
    if (!tokenizer.empty()) write(places.tensors() + 1, std::as_bytes(std::span(tokenizer)));
    stream.drain();
    places.check_complete();
    std::vector<IndexRow>& rows = places.rows();
    for (std::size_t i = 0; i < num_blocks(layout().structure_bytes); ++i)
      rows[i].crc32c = crc32c(front_bytes(rows[i].offset, rows[i].bytes));
    write_index(layout(), rows, front_bytes(0, layout().front_bytes));
    stream.write_at({0, front_bytes(0, layout().front_bytes), Rest::zeroed});
    stream.drain();
  }

  void sync() {
    out.truncate(layout().file_bytes);
    out.sync();
    // Drops the file from the page cache, so that verify() reads the disk.
    ::posix_fadvise(out.descriptor(), 0, 0, POSIX_FADV_DONTNEED);
    out.close();
  }

  // The file gets its name only if the disk returns what was written.
  void verify() const try {
    CheckpointReader(atomic.path()).verify(std::max(kVerified, layout().file_bytes / 64));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;  // too little memory is not the disk's fault
    throw resource_error("{}: what was read back is not what was written: {}",
                         atomic.path().string(), error.what())
        .with_hint(
            "the disk or the memory of this machine is faulty; the older checkpoint was kept");
  }

  std::string where, metadata, tokenizer;
  TensorPlaces places;
  LargeMemory front;
  AtomicFile atomic;
  OutputFile out;  // must close before the temporary file is removed
  StreamOutput stream;
};

CheckpointWriter::CheckpointWriter(const Path& target, const StateHeader& header, Replace replace)
    : impl_(std::make_unique<Impl>(target, header, replace)) {}
CheckpointWriter::~CheckpointWriter() = default;

void CheckpointWriter::write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes) {
  impl_->write(impl_->places.tensor(kind, index), bytes);
  impl_->stream.drain();
}

void CheckpointWriter::write(TensorKind kind, std::size_t index, HostTensor&& tensor) {
  auto owner = std::make_shared<const HostTensor>(std::move(tensor));
  const std::span<const std::byte> bytes = owner->bytes();
  impl_->write(impl_->places.tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::write(TensorKind kind, std::size_t index, std::span<const std::byte> bytes,
                             std::shared_ptr<const void> owner) {
  impl_->write(impl_->places.tensor(kind, index), bytes, std::move(owner));
}

void CheckpointWriter::write_adapter(std::size_t index, std::span<const std::byte> bytes) {
  impl_->write(impl_->places.adapter_tensor(index), bytes);
  impl_->stream.drain();
}

CheckpointFile CheckpointWriter::file() const {
  return {impl_->atomic.path(), impl_->metadata.size(), impl_->tokenizer.size()};
}

void CheckpointWriter::adopt(TensorKind kind, std::size_t index,
                             std::span<const std::uint32_t> checksums) {
  const std::size_t dataset = impl_->places.tensor(kind, index);
  const std::span<IndexRow> rows = impl_->places.rows_of(dataset);
  ST_CHECK(checksums.size() == rows.size(), "{} checksums for {} blocks", checksums.size(),
           rows.size());
  impl_->places.take(dataset, impl_->layout().datasets[dataset].bytes);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i].crc32c = checksums[i];
}

void CheckpointWriter::commit() {
  impl_->write_front();
  impl_->sync();
  impl_->verify();
  impl_->atomic.commit();
}

}  // namespace stagedtrain::state
