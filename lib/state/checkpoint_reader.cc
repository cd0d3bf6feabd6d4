// Reading: everything that a file says is checked against everything else before it is believed.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>

#include "arch/architectures.h"
#include "base/crc32c.h"
#include "base/direct_input.h"
#include "base/memory_advice.h"
#include "base/parallel.h"
#include "base/text.h"
#include "state/blocks.h"
#include "state/checkpoint_folder.h"
#include "state/layout.h"
#include "state/metadata.h"

namespace stagedtrain::state {
namespace {

constexpr const char* kReplace = "use an older checkpoint, or copy the file again if it was copied";
constexpr std::uint64_t kMostMetadata = 1 << 28;
// Of reading past the page cache: bytes of a read, and of a gap that it may bridge; how many
// threads keep a disk busy.
constexpr std::uint64_t kStretch = 2 << 20, kGap = 1 << 16;
constexpr std::int64_t kReaders = 4;

constexpr std::uint64_t kEverything = ~std::uint64_t{0};

// A block of a dataset and its place in the file.
struct Block {
  const Dataset* dataset;
  std::uint64_t index, offset, bytes;
  std::uint64_t end() const { return offset + bytes; }
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("({})", fmt::join(shape, ", "));
}

Structure read_checked_structure(std::span<const std::byte> file, const std::string& where) {
  check_superblock(file, where);
  Structure structure = read_structure(file, where, kFormatName, kFormatVersion);
  if (structure.format != kFormatName)
    throw input_error("{}: is an HDF5 file, but not a checkpoint of stagedtrain", where)
        .with_hint("a checkpoint is a .h5 file written by stagedtrain train or grow");
  if (structure.format_version > kFormatVersion)
    throw input_error("{}: written by a newer stagedtrain (format {}, this one reads up to {})",
                      where, structure.format_version, kFormatVersion)
        .with_hint("update stagedtrain");
  if (structure.format_version < 1)
    throw input_error("{}: its attribute format_version is missing or not a version", where)
        .with_hint(kReplace);
  return structure;
}

// Sizes are refused before anything is made of them: a model that fits the file has no more layers
// or experts than the file has datasets, and no axis longer than the file has bytes.
void check_fits(const arch::ModelConfig& model, std::uint64_t file_bytes, std::size_t datasets) {
  const auto most =
      static_cast<std::int64_t>(std::min<std::uint64_t>(file_bytes, std::uint64_t{1} << 30));
  const auto most_tensors = static_cast<std::int64_t>(datasets);
  const bool fits = model.layers <= most_tensors && model.width <= most &&
                    model.experts <= most_tensors / model.layers && model.ffn <= most &&
                    model.vocab <= most && model.context <= most &&
                    model.heads <= most / model.head_dim && model.kv_heads <= most / model.head_dim;
  if (!fits)
    throw input_error("model: {} cannot be in a file of {} bytes", arch::describe(model),
                      file_bytes);
}

// Runs f; an Error of it is one of this file.
template <class F>
auto located(const std::string& where, F f) {
  try {
    return f();
  } catch (const Error& error) {
    throw input_error("{}: {}", where, error.what()).with_hint(kReplace);
  }
}

}  // namespace

struct CheckpointReader::Impl {
  explicit Impl(const Path& path) : where(path.string()), file(path) {
    const ScatteredTouches scattered(file.bytes());
    Structure structure = read_checked_structure(file.bytes(), where);
    for (Dataset& dataset : structure.datasets) {
      std::string name = dataset.path();
      by_path.emplace(std::move(name), std::move(dataset));
    }
    Metadata metadata = read_metadata();
    header = std::move(metadata.header);
    table = std::make_unique<arch::ParamTable>(arch::param_table(header.model));
    header.histories = located(where, [&] { return parse_histories(metadata.histories, *table); });
    find_datasets(metadata.tokenizer_is_dataset);
    if (metadata.tokenizer_is_dataset) header.run.tokenizer = text_of(datasets.back());
    verified = std::make_unique<std::atomic<bool>[]>(datasets.size());
  }

  Metadata read_metadata() const {
    return located(where, [&] {
      const auto found = by_path.find(kMetadata);
      if (found == by_path.end()) throw input_error("dataset metadata is missing");
      if (found->second.bytes > kMostMetadata)
        throw input_error("metadata has {} bytes", found->second.bytes);
      Metadata metadata = parse_metadata(text_of(found->second));
      check_fits(metadata.header.model, file.bytes().size(), by_path.size());
      return metadata;
    });
  }

  // Puts the file's datasets in the order of the table; none may be missing, extra or different.
  void find_datasets(bool tokenizer) {
    std::vector<Dataset> expected = tensor_datasets(*table, header.dtype);
    expected.push_back({"", kMetadata, ElementType::u8});
    if (tokenizer) expected.push_back({"", kTokenizer, ElementType::u8});
    for (const Dataset& wanted : expected) {
      const auto found = by_path.find(wanted.path());
      if (found == by_path.end()) throw bad("tensor {} is missing", wanted.path());
      check_same(found->second, wanted);
      datasets.push_back(std::move(found->second));
      by_path.erase(found);
    }
    if (!by_path.empty())
      throw bad("tensor {} does not belong to the model ({})", by_path.begin()->first,
                arch::describe(header.model));
  }

  void check_same(const Dataset& found, const Dataset& wanted) const {
    if (found.type != wanted.type)
      throw bad("tensor {} is {}, expected {}", wanted.path(), element_name(found.type),
                element_name(wanted.type));
    const bool any_length = wanted.shape.empty() && found.shape.size() == 1;
    if (!any_length && found.shape != wanted.shape)
      throw bad("tensor {} has shape {}, expected {}", wanted.path(), shape_text(found.shape),
                shape_text(wanted.shape));
  }

  template <class... Args>
  Error bad(fmt::format_string<Args...> format, Args&&... args) const {
    return input_error("{}: {}", where, fmt::format(format, std::forward<Args>(args)...))
        .with_hint(kReplace);
  }

  std::span<const std::byte> bytes_of(const Dataset& dataset) const {
    return file.bytes().subspan(dataset.offset, dataset.bytes);
  }
  Error damaged(const Dataset& dataset, std::uint64_t block) const {
    return bad(
        "{} is damaged: the checksum of its block {} (at byte {} of the file) does not match",
        dataset.path(), block, dataset.offset + block * kBlockBytes);
  }
  std::span<const std::byte> verified_bytes(const Dataset& dataset) const {
    file.prefetch(dataset.offset, dataset.bytes);
    const std::int64_t block = first_bad_block(bytes_of(dataset), dataset.checksums);
    if (block >= 0) throw damaged(dataset, static_cast<std::uint64_t>(block));
    return bytes_of(dataset);
  }
  // Runs use(dataset, block) for every stride-th of all blocks of the file, from `first` on.
  template <class Use>
  void for_blocks(std::uint64_t first, std::uint64_t stride, Use use) const {
    for (const Dataset& dataset : datasets) {
      const std::uint64_t blocks = dataset.checksums.size();
      std::uint64_t block = first;
      for (; block < blocks; block += stride) use(dataset, block);
      first = block - blocks;
    }
  }
  // Past the page cache: what counts is what the disk holds.
  void verify_blocks(std::uint64_t first, std::uint64_t stride) const {
    const std::vector<std::vector<Block>> stretches = neighbours(first, stride);
    const DirectInput input(where);
    const auto readers = std::min(kReaders, static_cast<std::int64_t>(stretches.size()));
    std::atomic<std::size_t> next = 0;
    // A room for each reader: one for each stretch would be new memory every time.
    in_parallel(readers, 1, readers, [&](std::int64_t, std::int64_t) {
      DirectInput::Room room(kStretch);
      for (std::size_t i; (i = next++) < stretches.size();)
        verify_stretch(input, stretches[i], room);
    });
  }
  // Every stride-th block; those that lie close together are read as one.
  std::vector<std::vector<Block>> neighbours(std::uint64_t first, std::uint64_t stride) const {
    std::vector<Block> chosen;
    for_blocks(first, stride, [&](const Dataset& dataset, std::uint64_t block) {
      const std::uint64_t start = block * kBlockBytes;
      chosen.push_back(
          {&dataset, block, dataset.offset + start, std::min(kBlockBytes, dataset.bytes - start)});
    });
    std::ranges::sort(chosen, {}, &Block::offset);
    std::vector<std::vector<Block>> stretches;
    for (const Block& block : chosen) {
      const bool close = !stretches.empty() &&
                         block.end() - stretches.back().front().offset <= kStretch &&
                         block.offset - stretches.back().back().end() <= kGap;
      if (!close) stretches.emplace_back();
      stretches.back().push_back(block);
    }
    return stretches;
  }
  void verify_stretch(const DirectInput& input, const std::vector<Block>& blocks,
                      DirectInput::Room& room) const {
    const std::uint64_t start = blocks.front().offset;
    const auto bytes = input.read(start, blocks.back().end() - start, room);
    for (const Block& block : blocks)
      if (crc32c(bytes.subspan(block.offset - start, block.bytes)) !=
          block.dataset->checksums[block.index])
        throw damaged(*block.dataset, block.index);
  }
  std::string text_of(const Dataset& dataset) const {
    const auto bytes = verified_bytes(dataset);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::span<const std::byte> view(std::size_t index) const {
    const Dataset& dataset = datasets[index];
    if (!verified[index]) {
      verified_bytes(dataset);
      // Whoever reads tensors reads them in order: the disk brings the next one meanwhile.
      if (index + 1 < datasets.size())
        file.prefetch(datasets[index + 1].offset, datasets[index + 1].bytes);
    }
    verified[index] = true;
    return bytes_of(dataset);
  }

  std::uint32_t identity() const {
    std::uint32_t crc = 0;
    for (const Dataset& dataset : datasets)
      crc = crc32c(std::as_bytes(std::span(dataset.checksums)), crc);
    return crc;
  }

  std::string where;
  MappedFile file;
  std::map<std::string, Dataset> by_path;  // empty once everything has found its place
  StateHeader header;
  std::unique_ptr<arch::ParamTable> table;
  std::vector<Dataset> datasets;  // tensors by dataset_index, metadata, tokenizer if any
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

std::span<const std::byte> CheckpointReader::view(Kind kind, std::size_t index) const {
  ST_CHECK(index < table().size(), "tensor {} of {}", index, table().size());
  return impl_->view(dataset_index(kind, index, table().size()));
}

void CheckpointReader::release(Kind kind, std::size_t index) const {
  const Dataset& dataset = impl_->datasets[dataset_index(kind, index, table().size())];
  impl_->file.release(dataset.offset, dataset.bytes);
}

HostTensor CheckpointReader::read(Kind kind, std::size_t index) const {
  const auto bytes = view(kind, index);
  HostTensor tensor(header().dtype, table()[index].shape());
  std::memcpy(tensor.bytes().data(), bytes.data(), bytes.size());
  return tensor;
}

void CheckpointReader::verify(std::uint64_t about) const {
  std::uint64_t bytes = 0;
  for (const Dataset& dataset : impl_->datasets) bytes += dataset.bytes;
  if (about == kEverything) {
    for (std::size_t i = 0; i < impl_->datasets.size(); ++i) impl_->view(i);
  } else {
    const std::uint64_t stride =
        std::max<std::uint64_t>(1, bytes / std::max<std::uint64_t>(about, 1));
    impl_->verify_blocks(impl_->identity() % stride, stride);
  }
}

std::uint64_t CheckpointReader::blocks() const {
  std::uint64_t blocks = 0;
  for (const Dataset& dataset : impl_->datasets) blocks += dataset.checksums.size();
  return blocks;
}

std::string CheckpointReader::identity() const { return fmt::format("{:08x}", impl_->identity()); }

}  // namespace stagedtrain::state
