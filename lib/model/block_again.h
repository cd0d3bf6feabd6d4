// A block of the reference model whose inside is made again in the backward pass, not kept
// (Chen et al. 2016, arXiv 1604.06174).
#pragma once

#include <ATen/ATen.h>

#include <functional>

namespace stagedtrain::model {

// What goes from block to block: the residual stream, and what the next norm adds to it first
// (undefined before the first block).
struct Stream {
  at::Tensor x, branch;
};
using BlockBody = std::function<Stream(const Stream&)>;

// block(in). Its backward runs the block a second time and gives the same bits. random: the block
// draws random numbers, which are then the same again. block must hold for as long as the
// graph: no references to what is gone by then.
Stream run_again_later(const BlockBody& block, const Stream& in, bool random);

}  // namespace stagedtrain::model
