// Which datasets a checkpoint has, and how its first bytes look: shared by its writer and reader.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "state/checkpoint.h"
#include "state/hdf5_file.h"

namespace stagedtrain::state {

inline constexpr const char* kFormatName = "stagedtrain training state";
inline constexpr const char* kMetadata = "metadata";
inline constexpr const char* kTokenizer = "tokenizer";

constexpr ElementType element_of(DType dtype) {
  return dtype == DType::f32 ? ElementType::f32 : ElementType::f64;
}
// The place of a tensor among the datasets of a checkpoint: kind after kind, in the table's order.
constexpr std::size_t dataset_index(Kind kind, std::size_t tensor, std::size_t tensors) {
  return static_cast<std::size_t>(kind) * tensors + tensor;
}
// The tensors of all kinds in that order; no places, no checksums.
std::vector<Dataset> tensor_datasets(const arch::ParamTable& table, DType dtype);

// Checks the signature, the superblock's version and its end of file before HDF5 sees the bytes.
// Throws Error(input) that begins with where.
void check_superblock(std::span<const std::byte> file, const std::string& where);

}  // namespace stagedtrain::state
