// safetensors files: 8 bytes of header length, a JSON header, then the tensors without gaps.
#pragma once

#include <string>
#include <vector>

#include "hub/stored_tensors.h"

namespace stagedtrain::hub {

// At least as strict as the reference reader (safetensors/src/tensor.rs): the intervals must tile
// the rest of the file exactly, each must have the size of its shape and type, keys are unique.
// Beyond it, a header that does not begin with '{' and unknown keys inside an entry are refused.
// Throws Error(input) that names the file and the tensor.
std::vector<StoredTensor> read_safetensors(const Path& path, const MappedFile& file);

// What is to be written of one tensor.
struct TensorOutline {
  std::string name;
  Element element = Element::f32;  // f32, f16 or bf16 for safetensors
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;
};

// The length and the JSON header, padded with spaces to a multiple of 8 bytes; the tensors follow
// in this order. Readers expect types of larger elements first, then names in order.
std::string safetensors_header(const std::vector<TensorOutline>& tensors);

}  // namespace stagedtrain::hub
