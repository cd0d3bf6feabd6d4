// Writing: structure laid out in memory, tensors straight to their places, then checked and
// renamed.
#include <fcntl.h>

#include <optional>

#include "arch/architectures.h"
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

}  // namespace

struct CheckpointWriter::Impl {
  Impl(const Path& target, const StateHeader& header)
      : table(arch::param_table(header.model)),
        metadata(metadata_json(header).dump()),
        skeleton(kFormatName, kFormatVersion, all_datasets(table, header, metadata)),
        written(skeleton.datasets().size(), false),
        atomic(target) {
    out.emplace(atomic.path(), OutputFile::Mode::truncate);
    out->allocate(skeleton.file_bytes());
    write(3 * table.size(), std::as_bytes(std::span(metadata)));
    if (has_tokenizer(header.run))
      write(3 * table.size() + 1, std::as_bytes(std::span(header.run.tokenizer)));
  }

  void write(std::size_t index, std::span<const std::byte> bytes) {
    const Dataset& dataset = skeleton.datasets().at(index);
    ST_CHECK(bytes.size() == dataset.bytes, "{} bytes for {}", bytes.size(), dataset.path());
    ST_CHECK(!written[index], "{} is written twice", dataset.path());
    skeleton.set_checksums(index, block_checksums(bytes));
    out->write_at(dataset.offset, bytes);
    written[index] = true;
  }

  void write_structure() {
    for (std::size_t i = 0; i < written.size(); ++i)
      ST_CHECK(written[i], "{} was not written", skeleton.datasets()[i].path());
    skeleton.finish().for_each_run(
        [&](std::uint64_t offset, std::span<const std::byte> run) { out->write_at(offset, run); });
    out->truncate(skeleton.file_bytes());
    out->sync();
    ::posix_fadvise(out->descriptor(), 0, 0,
                    POSIX_FADV_DONTNEED);  // verify the disk, not the cache
    out->close();
  }

  // What the disk gives back is what was written, or the file never takes its name.
  void verify() const try { CheckpointReader(atomic.path()).verify(); } catch (const Error& error) {
    throw resource_error("{}: what was read back is not what was written: {}",
                         atomic.path().string(), error.what())
        .with_hint(
            "the disk or the memory of this machine is faulty; the older checkpoint was kept");
  }

  arch::ParamTable table;
  std::string metadata;
  Skeleton skeleton;
  std::vector<bool> written;
  AtomicFile atomic;
  std::optional<OutputFile> out;  // closed before the temporary file is removed
};

CheckpointWriter::CheckpointWriter(const Path& target, const StateHeader& header)
    : impl_(std::make_unique<Impl>(target, header)) {}
CheckpointWriter::~CheckpointWriter() = default;

void CheckpointWriter::write(Kind kind, std::size_t index, std::span<const std::byte> bytes) {
  ST_CHECK(index < impl_->table.size(), "tensor {} of {}", index, impl_->table.size());
  impl_->write(dataset_index(kind, index, impl_->table.size()), bytes);
}

void CheckpointWriter::commit() {
  impl_->write_structure();
  impl_->verify();
  impl_->atomic.commit();
}

}  // namespace stagedtrain::state
