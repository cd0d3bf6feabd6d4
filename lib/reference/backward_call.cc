// Implements the call as an autograd node that passes gradients on.
//
// Of the nodes that can run, the engine takes the one that was created last, and those that add to
// a leaf before all others. So when this node runs, every node that was created after it has run.
#include "reference/backward_call.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace stagedtrain::model {
namespace {

using torch::autograd::variable_list;

struct BackwardCall final : torch::autograd::Node {
  BackwardCall(std::function<void()> call, const Stream& in)
      : Node(torch::autograd::collect_next_edges(in.x, in.branch)), then(std::move(call)) {}

  variable_list apply(variable_list&& gradients) override {
    then();
    return std::move(gradients);
  }

  std::function<void()> then;
};

}  // namespace

Stream call_in_backward(const Stream& in, std::function<void()> then) {
  const bool wanted = in.x.requires_grad() || (in.branch.defined() && in.branch.requires_grad());
  if (!wanted) return in;
  const std::shared_ptr<BackwardCall> node(new BackwardCall(std::move(then), in),
                                           torch::autograd::deleteNode);
  Stream out{in.x.detach(), in.branch.defined() ? in.branch.detach() : at::Tensor()};
  torch::autograd::set_history(out.x, node);
  torch::autograd::set_history(out.branch, node);
  return out;
}

}  // namespace stagedtrain::model
