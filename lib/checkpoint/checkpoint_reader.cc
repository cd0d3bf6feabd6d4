// Reads a checkpoint without calling HDF5: the index locates everything, and the metadata say what
// it must be.
//
// Both are checked before any tensor is read (checkpoint/checkpoint_index.h,
// checkpoint/metadata.h).
#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <map>

#include "arch/architectures.h"
#include "base/crc32c.h"
#include "base/parallel.h"
#include "checkpoint/checkpoint_index.h"
#include "checkpoint/metadata.h"
#include "checkpoint/metadata_checks.h"
#include "io/direct_input.h"
#include "state/checkpoint_folder.h"
#include "state/finite.h"
#include "text/text.h"

namespace stagedtrain::state {
namespace {

constexpr const char* kReplace = "use an older checkpoint, or copy the file again if it was copied";
constexpr std::uint64_t kEverything = ~std::uint64_t{0};
// The number of blocks that a thread verifies at a time, which takes about a millisecond.
constexpr std::int64_t kAtOnce = 16;
// The number of threads that keep a disk busy.
constexpr std::int64_t kReaders = 4;

// Refuses sizes before anything of that size is allocated. A model that fits the file has no more
// layers or experts than the file has datasets, and no axis longer than the file has bytes.
void check_fits(const arch::ModelConfig& model, std::uint64_t file_bytes, std::size_t datasets) {
  const auto most =
      static_cast<std::int64_t>(std::min<std::uint64_t>(file_bytes, std::uint64_t{1} << 30));
  const auto most_tensors = static_cast<std::int64_t>(datasets);
  const bool fits = model.layers <= most_tensors && model.width <= most &&
                    model.experts <= most_tensors / std::max<std::int64_t>(model.layers, 1) &&
                    model.ffn <= most && model.vocab <= most && model.context <= most &&
                    model.heads <= most / model.head_dim && model.kv_heads <= most / model.head_dim;
  if (!fits)
    throw input_error("model: {} does not fit in a file of {} bytes", arch::describe(model),
                      file_bytes);
}

// The first of arch::kAdapterParts that are means of squares.
constexpr std::size_t kFirstSquares = 5;

enum class Values { any, finite, finite_and_not_negative };

}  // namespace

struct CheckpointReader::Impl {
  explicit Impl(const Path& path) : where(path.string()), file(path) {
    for (Extent& extent : read_index(file.bytes(), where)) {
      std::string name = extent.path;
      if (!by_path.emplace(std::move(name), std::move(extent)).second)
        throw bad("its index lists a dataset twice");
    }
    check_blocks(take("dataset", kStructure), Values::any);
    const Extent metadata = take("dataset", kMetadata);
    if (metadata.bytes > kMostMetadata) throw bad("metadata has {} bytes", metadata.bytes);
    const std::string text = text_of(metadata);
    try {
      read_metadata(text);
    } catch (const Error& error) {
      throw bad("{}", error.what());
    }
    find_datasets(metadata);
    verified = std::make_unique<std::atomic<bool>[]>(datasets.size());
  }

  template <class... Args>
  Error bad(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("{}: {}", where, fmt::format(format, std::forward<Args>(args)...))
        .with_hint(kReplace);
  }

  // Removes the extent of this path from by_path and returns it.
  Extent take(const char* what, const std::string& path) {
    auto found = by_path.extract(path);
    if (found.empty()) throw bad("{} {} is missing", what, path);
    return std::move(found.mapped());
  }

  // The messages of this function do not name the file.
  void read_metadata(const std::string& text) {
    Metadata metadata = parse_metadata(text);
    check_fits(metadata.header.model, file.bytes().size(), by_path.size());
    header = std::move(metadata.header);
    table = std::make_unique<arch::ParamTable>(arch::param_table(header.model));
    header.histories = parse_histories(metadata.histories, *table, header.progress.step);
    check_adapters(header, *table);
    tokenizer_is_dataset = metadata.tokenizer_is_dataset;
  }

  // Puts the file's datasets in the order of the table. Throws if one is missing, extra or of
  // another size.
  void find_datasets(const Extent& metadata) {
    for (const Dataset& wanted : tensor_datasets(*table, header.dtype, header.ema,
                                                 arch::stored_adapters(header.adapters, *table))) {
      datasets.push_back(take("tensor", wanted.path()));
      const Extent& found = datasets.back();
      if (found.bytes != wanted.bytes)
        throw bad("tensor {} has {} bytes, expected {} of {}", found.path, found.bytes,
                  wanted.bytes, dtype_name(header.dtype));
      if (found.offset % dtype_size(header.dtype) != 0)
        throw bad("tensor {} begins at byte {}, expected a multiple of {}", found.path,
                  found.offset, dtype_size(header.dtype));
    }
    datasets.push_back(metadata);
    if (tokenizer_is_dataset) {
      datasets.push_back(take("dataset", kTokenizer));
      header.run.tokenizer = text_of(datasets.back());
    }
    if (!by_path.empty())
      throw bad("dataset {} does not belong to the model ({})", by_path.begin()->first,
                arch::describe(header.model));
  }

  std::span<const std::byte> bytes_of(const Extent& extent) const {
    return file.bytes().subspan(extent.offset, extent.bytes);
  }
  std::string text_of(const Extent& extent) const {
    check_blocks(extent, Values::any);
    const auto bytes = bytes_of(extent);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void check_block(const Extent& extent, std::size_t index, std::span<const std::byte> bytes,
                   Values values) const {
    const IndexRow& row = extent.blocks[index];
    if (crc32c(bytes) != row.crc32c)
      throw bad(
          "{} is damaged: the checksum of its block {} (at byte {} of the file) does not match",
          extent.path, index, row.offset);
    if (values == Values::finite && !all_finite(bytes, header.dtype))
      throw bad("{} holds a NaN or an infinity (in its block {}, at byte {} of the file)",
                extent.path, index, row.offset);
    if (values == Values::finite_and_not_negative && !all_finite_and_not_negative(bytes, header.dtype))
      throw bad("{} holds a NaN or an infinity, or a number below zero (in its block {}, at byte {} "
                "of the file)",
                extent.path, index, row.offset);
  }
  std::size_t first_adapter() const { return header.kinds().size() * table->size(); }
  // The number of datasets that are tensors, those of adapters included.
  std::size_t num_tensors() const {
    return first_adapter() + arch::kNumAdapterParts * header.adapters.matrices.size();
  }
  // What a dataset may hold: a run never saves a number that it could not continue with.
  Values values_of(std::size_t dataset) const {
    const std::size_t tensors = table->size();
    if (dataset >= num_tensors()) return Values::any;
    if (dataset >= first_adapter())
      return (dataset - first_adapter()) % arch::kNumAdapterParts >= kFirstSquares
                 ? Values::finite_and_not_negative
                 : Values::finite;
    return dataset / tensors == static_cast<std::size_t>(TensorKind::exp_avg_sq)
               ? Values::finite_and_not_negative
               : Values::finite;
  }
  void check_blocks(const Extent& extent, Values values) const {
    file.prefetch(extent.offset, extent.bytes);
    in_parallel(static_cast<std::int64_t>(extent.blocks.size()), kAtOnce,
                [&](std::int64_t begin, std::int64_t end) {
                  for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end);
                       ++i) {
                    const IndexRow& row = extent.blocks[i];
                    check_block(extent, i, file.bytes().subspan(row.offset, row.bytes), values);
                  }
                });
  }

  std::span<const std::byte> view_block(std::size_t dataset, std::uint64_t block) const {
    const IndexRow& row = row_of(dataset, block);
    const auto bytes = file.bytes().subspan(row.offset, row.bytes);
    check_block(datasets[dataset], block, bytes, values_of(dataset));
    return bytes;
  }
  const IndexRow& row_of(std::size_t dataset, std::uint64_t block) const {
    const Extent& extent = datasets[dataset];
    ST_CHECK(block < extent.blocks.size(), "block {} of {}", block, extent.path);
    return extent.blocks[block];
  }

  // Verifies every stride-th block of the file, starting with block `first`. Reads bypass the page
  // cache, because the question is what the disk holds.
  void verify_some(std::uint64_t first, std::uint64_t stride) const {
    std::vector<std::pair<const Extent*, std::size_t>> chosen;
    for (const Extent& extent : datasets) {
      const std::uint64_t blocks = extent.blocks.size();
      std::uint64_t block = first;
      for (; block < blocks; block += stride) chosen.emplace_back(&extent, block);
      first = block - blocks;
    }
    const DirectInput input(where);
    std::atomic<std::size_t> next = 0;
    in_parallel(kReaders, 1, kReaders, [&](std::int64_t, std::int64_t) {
      DirectInput::Buffer buffer(kBlockBytes);
      for (std::size_t i; (i = next++) < chosen.size();) {
        const auto& [extent, block] = chosen[i];
        const IndexRow& row = extent->blocks[block];
        check_block(*extent, block, input.read(row.offset, row.bytes, buffer), Values::any);
      }
    });
  }

  std::span<const std::byte> view(std::size_t index) const {
    const Extent& extent = datasets[index];
    if (!verified[index]) {
      check_blocks(extent, values_of(index));
      // Tensors are usually read in order, so the disk can fetch the next one in the meantime.
      if (index + 1 < datasets.size())
        file.prefetch(datasets[index + 1].offset, datasets[index + 1].bytes);
    }
    verified[index] = true;
    return bytes_of(extent);
  }

  // Returns the crc32c over the checksums of the first `count` datasets, in the order of
  // `datasets`.
  std::uint32_t identity_of(std::size_t count) const {
    std::uint32_t crc = 0;
    for (const Extent& extent : std::span(datasets).first(count))
      for (const IndexRow& row : extent.blocks)
        crc = crc32c(std::as_bytes(std::span(&row.crc32c, 1)), crc);
    return crc;
  }
  std::uint32_t identity() const { return identity_of(datasets.size()); }

  std::string where;
  MappedFile file;
  std::map<std::string, Extent> by_path;  // what no part of the model or header has claimed yet
  StateHeader header;
  bool tokenizer_is_dataset = false;
  std::unique_ptr<arch::ParamTable> table;
  // Tensors by dataset_index, those of adapters if any, metadata, tokenizer if any.
  std::vector<Extent> datasets;
  std::unique_ptr<std::atomic<bool>[]> verified;
};

CheckpointReader::CheckpointReader(const Path& path) {
  refuse_folder_of_checkpoints(path);
  impl_ = std::make_unique<Impl>(path);
}
CheckpointReader::~CheckpointReader() = default;

const StateHeader& CheckpointReader::header() const { return impl_->header; }
const arch::ParamTable& CheckpointReader::table() const { return *impl_->table; }
std::uint64_t CheckpointReader::file_bytes() const { return impl_->file.bytes().size(); }

std::span<const std::byte> CheckpointReader::view(TensorKind kind, std::size_t index) const {
  ST_CHECK(index < table().size(), "tensor {} of {}", index, table().size());
  return impl_->view(dataset_index(kind, index, table().size()));
}

std::span<const std::byte> CheckpointReader::view_adapter(std::size_t index) const {
  ST_CHECK(impl_->first_adapter() + index < impl_->num_tensors(), "tensor {} of adapters", index);
  return impl_->view(impl_->first_adapter() + index);
}

std::span<const std::byte> CheckpointReader::view_block(TensorKind kind, std::size_t index,
                                                        std::uint64_t block) const {
  return impl_->view_block(dataset_index(kind, index, table().size()), block);
}

void CheckpointReader::prefetch_block(TensorKind kind, std::size_t index,
                                      std::uint64_t block) const {
  const IndexRow& row = impl_->row_of(dataset_index(kind, index, table().size()), block);
  impl_->file.prefetch(row.offset, row.bytes);
}

void CheckpointReader::release_block(TensorKind kind, std::size_t index,
                                     std::uint64_t block) const {
  const IndexRow& row = impl_->row_of(dataset_index(kind, index, table().size()), block);
  impl_->file.release(row.offset, row.bytes);
}

std::span<const std::byte> CheckpointReader::stored(TensorKind kind, std::size_t index) const {
  ST_CHECK(index < table().size(), "tensor {} of {}", index, table().size());
  return impl_->bytes_of(impl_->datasets[dataset_index(kind, index, table().size())]);
}

void CheckpointReader::release(TensorKind kind, std::size_t index) const {
  const Extent& extent = impl_->datasets[dataset_index(kind, index, table().size())];
  impl_->file.release(extent.offset, extent.bytes);
}

HostTensor CheckpointReader::read(TensorKind kind, std::size_t index) const {
  const auto bytes = view(kind, index);
  HostTensor tensor(header().dtype, table()[index].shape());
  std::memcpy(tensor.bytes().data(), bytes.data(), bytes.size());
  return tensor;
}

void CheckpointReader::verify(std::uint64_t about) const {
  if (about == kEverything) {
    for (const Extent& extent : impl_->datasets) impl_->check_blocks(extent, Values::any);
    return;
  }
  std::uint64_t bytes = 0;
  for (const Extent& extent : impl_->datasets) bytes += extent.bytes;
  const std::uint64_t stride =
      std::max<std::uint64_t>(1, bytes / std::max<std::uint64_t>(about, 1));
  impl_->verify_some(impl_->identity() % stride, stride);
}

std::uint64_t CheckpointReader::blocks() const {
  std::uint64_t blocks = 0;
  for (const Extent& extent : impl_->datasets) blocks += extent.blocks.size();
  return blocks;
}

std::string CheckpointReader::identity() const { return fmt::format("{:08x}", impl_->identity()); }

std::string CheckpointReader::tensors_identity() const {
  return fmt::format("{:08x}", impl_->identity_of(impl_->num_tensors()));
}

}  // namespace stagedtrain::state
