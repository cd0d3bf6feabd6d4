// Finds the matrices of the embeddings, of each block and of the head in a model's flat buffers.
#pragma once

#include <vector>

#include "base/sum_order.h"
#include "model/param_buffer.h"

namespace stagedtrain::train {

// The units of model/gradient_progress.h: the embeddings, each block, and the head unless it is
// tied. In the flat buffers they follow one another, before everything else.
struct MatrixUnits {
  std::vector<Range> runs;
  std::int64_t head = 0;  // the unit of the head; 0 if it is tied
};
MatrixUnits matrix_units(const model::ParamBuffer& params);

// Returns the blocks of `size` elements that begin within a run of elements, at most up to block
// `last`. In a backward pass the unit in which a block begins is the last one to add to it.
Range blocks_begun_in(const Range& run, std::int64_t size, std::int64_t last);

}  // namespace stagedtrain::train
