// Recomputes a block of the reference model in the backward pass instead of storing its activations
// (Chen et al. 2016, arXiv 1604.06174).
#pragma once

#include <ATen/ATen.h>

#include <functional>

namespace stagedtrain::model {

// The data that passes from block to block: the residual stream x, and a branch that the next norm
// adds to it. branch is undefined before the first block.
struct Stream {
  at::Tensor x, branch;
};
using BlockBody = std::function<Stream(const Stream&)>;

// Returns block(in). The backward pass runs the block a second time and computes the same
// gradients, to the bit. random must be true if the block draws random numbers. block is stored in
// the autograd graph, so everything that it refers to must outlive the graph.
Stream run_again_later(const BlockBody& block, const Stream& in, bool random);

}  // namespace stagedtrain::model
