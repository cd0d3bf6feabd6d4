// How do foreign formats name and lay out the tensors of a model? One table per format and
// architecture, used for both import and export.
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::hub {

// plain: (out, in), as here. transposed: (in, out), as in GPT-2's Conv1D. rotary: the rows of each
// head are reordered from halves (i and i + d/2 rotate together) to neighbours (2i and 2i + 1), as
// in ggml. by_head: the stacked parts alternate head by head, as query, key and value do in
// GPT-NeoX.
enum class Layout { plain, transposed, rotary, by_head };

// own is a key of the parameter table, with {e} for the expert's index; foreign is the other name,
// with {l} for the layer. Own tensors with the same foreign name are stacked along the rows, in the
// order of the table. If only own has {e}, the experts are stacked along a new axis.
struct NameRule {
  const char* own;
  const char* foreign;
  Layout layout = Layout::plain;
  bool keeps_f32 = false;  // never rounded on export
};

struct NameTable {
  const char* format;  // for messages
  std::vector<NameRule> rules;
};

const NameTable& hf_names(const arch::ModelConfig& model);
const NameTable& nanogpt_names();  // read, never written
const NameTable& gguf_names(const arch::ModelConfig& model);
const NameTable& llmc_names();

// A foreign tensor and the tensors of the parameter table that it is made of.
struct MappedTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // the shape in the foreign file, row-major
  std::vector<std::size_t> own;     // stacked in this order; all have the same shape
  Layout layout = Layout::plain;
  bool keeps_f32 = false;
};

// Returns every tensor of the model once, in the order of the parameter table (for a stack, that of
// its first part). Throws Error(usage) if the format has no name for a tensor.
std::vector<MappedTensor> map_tensors(const NameTable& names, const arch::ModelConfig& model);

}  // namespace stagedtrain::hub
