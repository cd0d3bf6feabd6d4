// Places the datasets of a checkpoint in the order in which HDF5 will place them.
//
// Goal: the places of all bytes follow from names, types and shapes alone, so tensors can be
// written while HDF5 has not yet been called. The places are assigned in the order in which HDF5
// assigns them, so that it can be made to agree (hdf5_structure.cc checks each place).
//
// Order after the structure: index, small tensors, short texts, long texts, large tensors.
// - A row of the index has 96 bytes, so the small tensors after it are aligned for their elements.
// - Texts have any length, so they follow the small tensors.
// - Long texts and large tensors begin on a page. Nothing small follows them, because HDF5 would
//   move it into the gap before that page.
//
// Invariant: datasets do not overlap, and each tensor is aligned for its elements. Space for the
// structure is an upper bound (structure_bytes_of); the bytes that HDF5 does not use stay zero.
#include "checkpoint/layout.h"

#include "checkpoint/checkpoint_index.h"

namespace stagedtrain::state {
namespace {

enum class Section { index, small, text, large_text, large };

Section section_of(const Dataset& dataset) {
  if (dataset.type == ElementType::index_row) return Section::index;
  const bool large = dataset.bytes >= kLargeBytes;
  if (dataset.type == ElementType::u8) return large ? Section::large_text : Section::text;
  return large ? Section::large : Section::small;
}

std::uint64_t element_size(ElementType type) {
  switch (type) {
    case ElementType::u8:
      return 1;
    case ElementType::f32:
      return 4;
    case ElementType::f64:
      return 8;
    case ElementType::index_row:
      return sizeof(IndexRow);
  }
  return 0;
}

std::uint64_t up_to_page(std::uint64_t offset) {
  return (offset + kPageBytes - 1) / kPageBytes * kPageBytes;
}

// An upper bound of what HDF5 needs. A dataset takes about 330 bytes with a name of 27 letters (an
// object header, a link in a heap, a record in a B-tree), and a file without datasets less than 8
// KiB.
constexpr std::uint64_t kEmptyFileBytes = 16 << 10;
std::uint64_t structure_bytes_of(const Dataset& dataset) { return 340 + 2 * dataset.name.size(); }
std::uint64_t structure_bytes_for(const std::vector<Dataset>& datasets) {
  std::uint64_t bytes = kEmptyFileBytes;
  for (const Dataset& dataset : datasets) bytes += structure_bytes_of(dataset);
  return up_to_page(bytes);
}

std::uint64_t num_rows(const Layout& layout) {
  std::uint64_t rows = num_blocks(layout.structure_bytes);
  for (const Dataset& dataset : layout.datasets) rows += num_blocks(dataset.bytes);
  return rows;
}

void set_bytes(Dataset& dataset) {
  dataset.bytes = element_size(dataset.type);
  for (const std::int64_t size : dataset.shape) dataset.bytes *= static_cast<std::uint64_t>(size);
}

void add_group(const char* group, const arch::ParamTable& table, DType dtype,
               std::vector<Dataset>& datasets) {
  const ElementType type = dtype == DType::f32 ? ElementType::f32 : ElementType::f64;
  for (const arch::ParamSpec& spec : table)
    set_bytes(datasets.emplace_back(Dataset{group, spec.name, type, spec.shape()}));
}

void place_section(Layout& layout, Section section) {
  for (std::size_t i = 0; i < layout.datasets.size(); ++i) {
    Dataset& dataset = layout.datasets[i];
    if (section_of(dataset) != section) continue;
    dataset.offset =
        dataset.bytes < kLargeBytes ? layout.file_bytes : up_to_page(layout.file_bytes);
    layout.file_bytes = dataset.offset + dataset.bytes;
    layout.file_order.push_back(i);
  }
}

}  // namespace

std::vector<Dataset> tensor_datasets(const arch::ParamTable& table, DType dtype, bool ema,
                                     const arch::ParamTable& adapters) {
  std::vector<Dataset> datasets;
  for (const TensorKind kind : tensor_kinds(ema))
    add_group(kind_name(kind), table, dtype, datasets);
  add_group(kAdapters, adapters, dtype, datasets);
  return datasets;
}

Dataset text_dataset(const char* name, std::uint64_t bytes) {
  return {"", name, ElementType::u8, {static_cast<std::int64_t>(bytes)}, 0, bytes};
}

Layout arrange(std::vector<Dataset> datasets) {
  Layout layout{std::move(datasets)};
  for (Dataset& dataset : layout.datasets) set_bytes(dataset);
  layout.structure_bytes = structure_bytes_for(layout.datasets);
  const auto rows = static_cast<std::int64_t>(num_rows(layout));
  set_bytes(layout.datasets.emplace_back(Dataset{"", kIndex, ElementType::index_row, {rows}}));
  layout.file_bytes = kHeaderBytes + layout.structure_bytes;
  for (const Section section : {Section::index, Section::small, Section::text, Section::large_text})
    place_section(layout, section);
  layout.front_bytes = layout.file_bytes;
  place_section(layout, Section::large);
  return layout;
}

std::uint64_t expected_file_bytes(const std::vector<RepeatedDataset>& datasets) {
  std::uint64_t structure = kEmptyFileBytes, rows = 0, small = 0, large = 0;
  for (const auto& [dataset, copies] : datasets) {
    structure += copies * structure_bytes_of(dataset);
    rows += copies * num_blocks(dataset.bytes);
    if (dataset.bytes < kLargeBytes)
      small += copies * dataset.bytes;
    else
      large += copies * up_to_page(dataset.bytes);
  }
  structure = up_to_page(structure);
  rows += num_blocks(structure);
  return kHeaderBytes + structure + rows * sizeof(IndexRow) + small + large;
}

}  // namespace stagedtrain::state
