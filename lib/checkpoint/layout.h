// Decides where everything lies in a checkpoint, before anything is written.
//
//      0  header block: where the index is, and its checksum (to HDF5, a "user block")
//   4096  HDF5's structure: superblock, groups, names, types and shapes, in one piece
//         index: a row for each MiB of the structure and of every other dataset
//         tensors below 64 KiB, one after another
//         metadata and tokenizer
//         tensors of 64 KiB and more, each from a multiple of 4096 on
//
// The reader trusts header block and index alone (checkpoint/checkpoint_index.h). The structure
// exists so that h5py, h5ls and every other HDF5 program can read the file; our reader only
// compares its checksum. So no byte of a file ever reaches libhdf5, which crashes on many hostile
// structures, and opening a file of a thousand tensors takes no call of it.
//
// Rejected:
// - Reading the structure with libhdf5 in a child process with limits is slower, and the child and
//   its limits are more code than this index.
// - A parser of HDF5 structures of our own took 600 lines, in an earlier version.
// - A trailer behind the end of the HDF5 file is cut off by programs that open the file for
//   writing. A user block is the place that HDF5 itself provides for foreign bytes.
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
inline constexpr const char* kAdapters = "adapters";

inline constexpr std::uint64_t kHeaderBytes = 4096;
// Datasets of at least kLargeBytes begin at a multiple of kPageBytes, so that they can be written
// from their own memory past the page cache.
inline constexpr std::uint64_t kLargeBytes = 64 << 10, kPageBytes = 4096;
// The number of bytes of a dataset that share a checksum.
inline constexpr std::uint64_t kBlockBytes = 1 << 20;
constexpr std::uint64_t num_blocks(std::uint64_t bytes) {
  return bytes / kBlockBytes + (bytes % kBlockBytes != 0);
}

enum class ElementType { u8, f32, f64, index_row };

// One contiguous dataset. Its bytes are [offset, offset + bytes) of the file.
struct Dataset {
  std::string group;  // "" for the root
  std::string name;
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::uint64_t offset = 0, bytes = 0;

  std::string path() const { return group.empty() ? name : group + "/" + name; }
};

struct Layout {
  // The tensors (see dataset_index), those of adapters if there are any, metadata, tokenizer if
  // there is one, and index.
  std::vector<Dataset> datasets;
  std::vector<std::size_t> file_order;  // indices of datasets in the order of their places
  std::uint64_t structure_bytes = 0;    // beginning at kHeaderBytes
  std::uint64_t front_bytes = 0;        // everything except tensors of 64 KiB and more
  std::uint64_t file_bytes = 0;

  bool in_front(const Dataset& dataset) const { return dataset.offset < front_bytes; }
};

// The index of a tensor among the datasets: kind by kind, in the order of the parameter table.
constexpr std::size_t dataset_index(TensorKind kind, std::size_t tensor, std::size_t tensors) {
  return static_cast<std::size_t>(kind) * tensors + tensor;
}
// Returns the tensors of all kinds in that order, then those of adapters (arch::stored_adapters),
// without places; ema: with the average of the weights.
std::vector<Dataset> tensor_datasets(const arch::ParamTable& table, DType dtype, bool ema = false,
                                     const arch::ParamTable& adapters = arch::ParamTable({}));
Dataset text_dataset(const char* name, std::uint64_t bytes);
// Assigns places to these datasets and to their index, which it appends.
Layout arrange(std::vector<Dataset> datasets);

// A dataset, and the number of datasets that have its size, itself included.
struct RepeatedDataset {
  Dataset dataset;
  std::uint64_t copies = 1;
};
// Returns what arrange(...).file_bytes would be, within a page and 8 bytes for each dataset,
// without listing them: a state of 65,536 layers has three million.
std::uint64_t expected_file_bytes(const std::vector<RepeatedDataset>& datasets);

}  // namespace stagedtrain::state
