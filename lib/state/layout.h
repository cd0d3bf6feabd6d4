// Where everything lies in a checkpoint, decided before anything is written.
//
//      0  header block: where the index is, and its checksum (to HDF5, a "user block")
//   4096  HDF5's structure: superblock, groups, names, types and shapes, in one piece
//         index: a row for each MiB of the structure and of every other dataset
//         tensors below 64 KiB, one after another
//         metadata and tokenizer
//         tensors of 64 KiB and more, each from a multiple of 4096 on
//
// The reader trusts header block and index alone (state/checkpoint_index.h). The structure is there
// so that h5py, h5ls and every other HDF5 program can read the file; we only compare its checksum.
// So no byte of a file ever reaches libhdf5, which crashes on many a hostile structure, and opening
// a file of a thousand tensors costs no thousand calls of it.
//
// Rejected: reading the structure with libhdf5 in a forked child under limits (slower, and the
// child and its limits are more code than this index); a parser of HDF5 of our own (600 lines, once
// here); a trailer behind the end of the HDF5 file (programs that open a file for writing cut it
// off, and the format names a user block as the place for foreign bytes).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arch/param_table.h"
#include "state/training_state.h"

namespace stagedtrain::state {

inline constexpr const char* kFormatName = "stagedtrain training state";
inline constexpr const char* kStructure = "structure";
inline constexpr const char* kIndex = "index";
inline constexpr const char* kMetadata = "metadata";
inline constexpr const char* kTokenizer = "tokenizer";

inline constexpr std::uint64_t kHeaderBytes = 4096;
// Datasets of at least kLargeBytes begin at a multiple of kPageBytes, so that they can be written
// past the page cache from where they lie.
inline constexpr std::uint64_t kLargeBytes = 64 << 10, kPageBytes = 4096;
// Bytes of a dataset that share a checksum.
inline constexpr std::uint64_t kBlockBytes = 1 << 20;
constexpr std::uint64_t num_blocks(std::uint64_t bytes) {
  return bytes / kBlockBytes + (bytes % kBlockBytes != 0);
}

enum class ElementType { u8, f32, f64, index_row };

// One contiguous dataset. Its bytes lie at [offset, offset + bytes) of the file.
struct Dataset {
  std::string group;  // "" for the root
  std::string name;
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0, bytes = 0;

  std::string path() const { return group.empty() ? name : group + "/" + name; }
};

struct Layout {
  // Tensors (see dataset_index), metadata, tokenizer if there is one, index.
  std::vector<Dataset> datasets;
  std::vector<std::size_t> file_order;  // places in datasets
  std::uint64_t structure_bytes = 0;    // from kHeaderBytes on
  std::uint64_t front_bytes = 0;        // all but the tensors of 64 KiB and more
  std::uint64_t file_bytes = 0;

  bool in_front(const Dataset& dataset) const { return dataset.offset < front_bytes; }
};

// The place of a tensor among the datasets: kind after kind, in the table's order.
constexpr std::size_t dataset_index(Kind kind, std::size_t tensor, std::size_t tensors) {
  return static_cast<std::size_t>(kind) * tensors + tensor;
}
// The tensors of all kinds in that order, without places.
std::vector<Dataset> tensor_datasets(const arch::ParamTable& table, DType dtype);
Dataset text_dataset(const char* name, std::uint64_t bytes);
// Gives these datasets, and the index of them, their places.
Layout arrange(std::vector<Dataset> datasets);

// A dataset and how many there are of its size, it included.
struct RepeatedDataset {
  Dataset dataset;
  std::uint64_t copies = 1;
};
// arrange(...).file_bytes for so many datasets, within a page and 8 bytes for each of them, without
// making them: a state of 65,536 layers has three million.
std::uint64_t expected_file_bytes(const std::vector<RepeatedDataset>& datasets);

}  // namespace stagedtrain::state
