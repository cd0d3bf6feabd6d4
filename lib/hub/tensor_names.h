// How foreign formats name and lay out the tensors of a model: one table for each format and
// architecture, read for import and for export.
#pragma once

#include <string>
#include <vector>

#include "arch/model_config.h"
#include "arch/param_table.h"

namespace stagedtrain::hub {

// plain: (out, in) as here. transposed: (in, out), as GPT-2's Conv1D has it. rotary: rows of each
// head reordered from halves (i, i + d/2 turn together) to neighbours (2i, 2i + 1), as ggml wants.
// by_head: a stack whose parts alternate head by head, as GPT-NeoX has query, key and value.
enum class Layout { plain, transposed, rotary, by_head };

// own: a key of the parameter table, {e} for the number of an expert; foreign: the other name, {l}
// for the layer. Several own tensors with one foreign name are stacked along its rows, in the order
// of the table; where own has {e} and foreign has not, the experts are stacked along a new axis.
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
const NameTable& gguf_names(const arch::ModelConfig& model);
const NameTable& llmc_names();

// A foreign tensor and the tensors of the parameter table that it is made of.
struct MappedTensor {
  std::string name;
  std::vector<std::int64_t> shape;  // as the foreign file has it, row-major
  std::vector<std::size_t> own;     // stacked in this order; all of one shape
  Layout layout = Layout::plain;
  bool keeps_f32 = false;
};

// Every tensor of the model, once, in the parameter table's order (that of the first of a stack).
// Throws Error(usage) if the format has no place for one.
std::vector<MappedTensor> map_tensors(const NameTable& names, const arch::ModelConfig& model);

}  // namespace stagedtrain::hub
