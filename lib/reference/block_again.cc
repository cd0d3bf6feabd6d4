// Implements activation checkpointing for one block as an autograd node.
//
// Forward runs the block without a graph and keeps only its inputs. Backward runs it again on
// detached copies of the inputs with gradients enabled, and calls backward on that small graph with
// the incoming gradients. The node has edges to the block's inputs only: gradients of the block's
// parameters accumulate in the leaves' own buffers during the inner backward.
//
// Invariant: the second run computes the same bits as the first. Its inputs are the same tensors,
// and if the block draws random numbers (dropout), it starts from the state that the generator had
// before the first run. Afterwards the generator gets its own state back, so that recomputation
// does not change any later draw.
#include "reference/block_again.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace stagedtrain::model {
namespace {

using torch::autograd::variable_list;

at::Generator generator_of(at::Device device) {
  return at::globalContext().defaultGenerator(device);
}
at::Tensor random_state(at::Device device) {
  at::Generator generator = generator_of(device);
  const std::scoped_lock lock(generator.mutex());
  return generator.get_state();
}
void set_random_state(at::Device device, const at::Tensor& state) {
  at::Generator generator = generator_of(device);
  const std::scoped_lock lock(generator.mutex());
  generator.set_state(state);
}

at::Tensor fresh_leaf(const at::Tensor& x) {
  return x.defined() ? x.detach().requires_grad_(true) : x;
}

struct BlockAgain final : torch::autograd::Node {
  BlockAgain(BlockBody body, const Stream& in)
      : Node(torch::autograd::collect_next_edges(in.x, in.branch)),
        block(std::move(body)),
        x(in.x.detach()),
        branch(in.branch.defined() ? in.branch.detach() : at::Tensor()) {}

  variable_list apply(variable_list&& gradients) override {
    const at::AutoGradMode grad_on(true);
    const Stream in{fresh_leaf(x), fresh_leaf(branch)};
    const at::Tensor now = state.defined() ? random_state(x.device()) : at::Tensor();
    if (state.defined()) set_random_state(x.device(), state);
    const Stream out = block(in);
    if (state.defined()) set_random_state(x.device(), now);
    variable_list roots, wanted;
    for (std::size_t i = 0; i < 2; ++i) {
      if (!gradients[i].defined()) continue;
      roots.push_back(i == 0 ? out.x : out.branch);
      wanted.push_back(gradients[i]);
    }
    torch::autograd::backward(roots, wanted);
    return {in.x.grad(), in.branch.defined() ? in.branch.grad() : at::Tensor()};
  }
  void release_variables() override { x = branch = at::Tensor(); }

  BlockBody block;
  at::Tensor x, branch;
  at::Tensor state;  // the generator's state before the first run; undefined if random is false
};

}  // namespace

Stream run_again_later(const BlockBody& block, const Stream& in, bool random) {
  const std::shared_ptr<BlockAgain> node(new BlockAgain(block, in), torch::autograd::deleteNode);
  if (random) node->state = random_state(in.x.device());
  const at::NoGradGuard no_grad;
  Stream out = block(in);
  torch::autograd::set_history(out.x, node);
  torch::autograd::set_history(out.branch, node);
  return out;
}

}  // namespace stagedtrain::model
