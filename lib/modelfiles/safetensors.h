// How are safetensors files read and written? 8 bytes of header length, a JSON header, then the
// tensors without gaps.
#pragma once

#include <string>
#include <vector>

#include "modelfiles/stored_tensors.h"

namespace stagedtrain::hub {

// Reads all tensors. It is at least as strict as the reference reader (safetensors/src/tensor.rs):
// the tensors must tile the rest of the file exactly, each must have the size of its shape and
// type, and names must be unique. In addition, a header that does not begin with '{' and unknown
// keys inside an entry are refused. Throws Error(input) that names the file and the tensor.
std::vector<StoredTensor> read_safetensors(const Path& path, const MappedFile& file);

// A tensor to be written.
struct TensorOutline {
  std::string name;
  Element element = Element::f32;  // f32, f16 or bf16 for safetensors
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;
};

// Returns the header length and the JSON header, padded with spaces to a multiple of 8 bytes. The
// tensors must follow in this order; readers expect larger element types first, then names in
// order.
std::string safetensors_header(const std::vector<TensorOutline>& tensors);

}  // namespace stagedtrain::hub
