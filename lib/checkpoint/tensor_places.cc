// Computes checksums of blocks while tensors are written.
#include "checkpoint/tensor_places.h"

#include <algorithm>
#include <utility>

#include "arch/architectures.h"
#include "base/crc32c.h"
#include "checkpoint/checkpoint.h"
#include "state/finite.h"

namespace stagedtrain::state {
namespace {

Layout layout_of(const arch::ParamTable& table, const arch::ParamTable& adapters,
                 const StateHeader& header, std::uint64_t metadata_bytes,
                 std::uint64_t tokenizer_bytes) {
  std::vector<Dataset> datasets = tensor_datasets(table, header.dtype, header.ema, adapters);
  datasets.push_back(text_dataset(kMetadata, metadata_bytes));
  if (tokenizer_bytes > 0) datasets.push_back(text_dataset(kTokenizer, tokenizer_bytes));
  return arrange(std::move(datasets));
}

}  // namespace

std::uint64_t most_waiting(const Layout& layout) {
  std::uint64_t most = 4 * StreamOutput::kPiece;
  for (const Dataset& dataset : layout.datasets) most = std::max(most, dataset.bytes);
  return most;
}

TensorPlaces::TensorPlaces(const StateHeader& header, std::uint64_t metadata_bytes,
                           std::uint64_t tokenizer_bytes, std::string where)
    : where_(std::move(where)),
      table_(arch::param_table(header.model)),
      adapters_(arch::stored_adapters(header.adapters, table_)),
      tensors_(header.kinds().size() * table_.size() + adapters_.size()),
      dtype_(header.dtype),
      layout_(layout_of(table_, adapters_, header, metadata_bytes, tokenizer_bytes)),
      rows_(index_rows(layout_)),
      taken_(layout_.datasets.size()) {
  std::size_t row = num_blocks(layout_.structure_bytes);
  for (const Dataset& dataset : layout_.datasets)
    first_row_.push_back(std::exchange(row, row + num_blocks(dataset.bytes)));
}

std::size_t TensorPlaces::tensor(TensorKind kind, std::size_t index) const {
  ST_CHECK(index < table_.size(), "tensor {} of {}", index, table_.size());
  return dataset_index(kind, index, table_.size());
}

std::size_t TensorPlaces::adapter_tensor(std::size_t index) const {
  ST_CHECK(index < adapters_.size(), "tensor {} of {} of adapters", index, adapters_.size());
  return tensors_ - adapters_.size() + index;
}

std::span<IndexRow> TensorPlaces::rows_of(std::size_t dataset) {
  return std::span(rows_).subspan(first_row_[dataset],
                                  num_blocks(layout_.datasets[dataset].bytes));
}

void TensorPlaces::take(std::size_t dataset, std::uint64_t bytes) {
  const Dataset& taken = layout_.datasets.at(dataset);
  ST_CHECK(bytes == taken.bytes, "{} bytes for {}", bytes, taken.path());
  ST_CHECK(!taken_[dataset], "{} is written twice", taken.path());
  taken_[dataset] = true;
}

// The index, which is the last dataset, is not among what callers write.
void TensorPlaces::check_complete() const {
  for (std::size_t i = 0; i + 1 < taken_.size(); ++i)
    ST_CHECK(taken_[i], "{} was not written", layout_.datasets[i].path());
}

void TensorPlaces::check_and_sum(std::size_t dataset, std::uint64_t start,
                                 std::span<const std::byte> bytes) {
  static_assert(StreamOutput::kPiece % kBlockBytes == 0);
  for (IndexRow* row = &rows_[first_row_[dataset] + start / kBlockBytes]; !bytes.empty(); ++row) {
    const auto block = bytes.first(std::min<std::uint64_t>(kBlockBytes, bytes.size()));
    row->crc32c = crc32c(block);
    if (dataset < tensors_ && !all_finite(block, dtype_))
      throw make_error(ErrorKind::diverged, "{}: was not written: {} holds a NaN or an infinity",
                       where_, layout_.datasets[dataset].path())
          .with_hint("an older file of this name was kept");
    bytes = bytes.subspan(block.size());
  }
}

void TensorPlaces::write_large(StreamOutput& stream, std::size_t dataset,
                               std::span<const std::byte> bytes,
                               std::shared_ptr<const void> owner) {
  const auto on_piece = [this, dataset](std::uint64_t start, std::span<const std::byte> piece) {
    check_and_sum(dataset, start, piece);
  };
  stream.write_at(
      {layout_.datasets[dataset].offset, bytes, Rest::zeroed, on_piece, std::move(owner)});
}

}  // namespace stagedtrain::state
