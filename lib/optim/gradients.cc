// Computes the gradient of a step: passes over micro-batches, their leaves, and the sum of the
// leaves in the order of the tree.
//
// During the last pass of a rank, what other ranks need of its other passes is ready: the nodes
// before the last, and the left children on the way to the last leaf. So gradients are exchanged
// as they become complete, whatever the number of passes.
#include "optim/gradients.h"

#include <ATen/core/grad_mode.h>

#include "base/rng.h"
#include "base/signals.h"
#include "optim/gradient_sum.h"
#include "optim/matrix_units.h"

namespace stagedtrain::train {

struct StepGradient::Step {
  model::Model& model;
  const at::Tensor& tokens_BS;
  const GradientPasses& options;
  std::int64_t rows, passes, leaves;
  std::vector<at::Tensor> losses = {};  // one for each leaf; undefined for those of other ranks
  // Set aside: this rank's nodes but the last, and of the last the left children that are still to
  // be added, from the root of the node downwards.
  std::vector<at::Tensor> nodes = {}, lefts = {};
  std::optional<GradientSum> sum = {};  // from the last pass on
};

namespace {

// Adds losses in the same order as gradients.
at::Tensor sum_of(const std::vector<at::Tensor>& losses, const Range& node) {
  if (node.size() == 1) return losses[static_cast<std::size_t>(node.begin)];
  const std::int64_t middle = middle_of(node);
  return sum_of(losses, {node.begin, middle}) + sum_of(losses, {middle, node.end});
}

}  // namespace

std::int64_t rows_at_once(const schedule::BatchSpec& batch, std::int64_t ranks) {
  return batch.micro ? batch.micro : (batch.sequences + ranks - 1) / ranks;
}

std::int64_t rows_of_pass(const schedule::BatchSpec& batch, std::int64_t rows, std::int64_t pieces,
                          std::int64_t ranks) {
  return batch.micro ? batch.micro * pieces : (rows + ranks - 1) / ranks;
}

// Runs the passes of a leaf. Each pass adds its gradients to the model's buffer, so the passes of
// one leaf need no buffers of their own. last: this rank's last leaf, whose last pass begins the
// sum over ranks. Returns the leaf's share of the mean loss.
at::Tensor StepGradient::leaf(Step& step, std::int64_t leaf, bool last) {
  const CounterRng seeds(step.options.seed, hash_name("dropout"));
  const Range passes = part_of(step.passes, leaf, step.leaves);
  at::Tensor loss;
  for (std::int64_t pass = passes.begin; pass < passes.end; ++pass) {
    if (pass > 0) stop_point("training");
    const std::int64_t first = pass * step.options.rows;
    const std::int64_t rows = std::min(step.options.rows, step.rows - first);
    const double share = static_cast<double>(rows) / static_cast<double>(step.rows);
    const auto index =
        static_cast<std::uint64_t>(step.options.step) << 20 | static_cast<std::uint64_t>(pass);
    step.model.set_work(step.options.work.empty()
                            ? arch::StepWork{}
                            : step.options.work[static_cast<std::size_t>(pass)]);
    GradientSum* sum = last && pass + 1 == passes.end ? &begin_sum(step, true) : nullptr;
    const at::Tensor part = step.model.loss_and_backward(step.tokens_BS.narrow(0, first, rows),
                                                         share, seeds.bits(index), sum);
    const at::Tensor weighted = part.to(at::kDouble) * share;
    loss = loss.defined() ? loss + weighted : weighted;
  }
  return loss;
}

at::Tensor StepGradient::set_aside(const at::Tensor& grads) {
  if (!spare_.empty() && spare_.back().sizes() != grads.sizes()) spare_.clear();
  at::Tensor kept = spare_.empty() ? at::empty_like(grads) : spare_.back();
  if (!spare_.empty()) spare_.pop_back();
  kept.copy_(grads);
  grads.zero_();
  return kept;
}

// Replaces the model's gradients, which must be zero, by those of the node; of the last node, by
// those of its last leaf, to which step.lefts are still to be added.
void StepGradient::node(Step& step, const Range& node, bool last) {
  if (node.size() == 1) {
    step.losses[static_cast<std::size_t>(node.begin)] = leaf(step, node.begin, last);
    return;
  }
  const at::Tensor& grads = step.model.params().grads();
  const std::int64_t middle = middle_of(node);
  this->node(step, {node.begin, middle}, false);
  step.lefts.push_back(set_aside(grads));
  this->node(step, {middle, node.end}, last);
  if (last) return;
  grads.add_(step.lefts.back());
  spare_.push_back(std::move(step.lefts.back()));
  step.lefts.pop_back();
}

// has_node: whether the model's gradients are a node of this rank, or a part of one.
GradientSum& StepGradient::begin_sum(Step& step, bool has_node) {
  const at::Tensor& grads = step.model.params().grads();
  std::vector<at::Tensor> nodes = step.nodes;
  if (has_node) nodes.push_back(grads);
  return step.sum.emplace(ranks_, exchange_of(step.model), matrix_units(step.model.params()).head,
                          grads, std::move(nodes), step.lefts, step.leaves);
}

at::Tensor StepGradient::mean_loss(const Step& step) {
  const Range all{0, step.leaves};
  if (ranks_.alone()) return sum_of(step.losses, all);
  std::vector<double> values(step.losses.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    if (step.losses[i].defined()) values[i] = step.losses[i].item<double>();
  ranks_.sum(values);
  std::vector<at::Tensor> losses;
  for (const double value : values) losses.push_back(at::scalar_tensor(value, at::kDouble));
  return sum_of(losses, all);
}

dist::FlatExchange& StepGradient::exchange_of(model::Model& model) {
  const std::int64_t size = model.params().grads().numel();
  if (!exchange_ || exchange_->size() != size)
    exchange_.emplace(ranks_, runs_by_completion(model.params()));
  return *exchange_;
}

// The last round may have fewer passes than there are ranks. The others then repeat the last pass,
// because they take part in all exchanges of shards, and nothing of it is added.
at::Tensor StepGradient::add_up_in_turns(Step& step) {
  for (std::int64_t first = 0; first < step.leaves; first += ranks_.size()) {
    const std::int64_t own = first + ranks_.rank();
    step.model.shards()->begin_pass(first, step.leaves, !step.options.work.empty());
    const at::Tensor loss = leaf(step, std::min(own, step.leaves - 1), false);
    step.model.shards()->end_pass();
    if (own < step.leaves) step.losses[static_cast<std::size_t>(own)] = loss;
  }
  return mean_loss(step);
}

at::Tensor StepGradient::add_up(model::Model& model, const at::Tensor& tokens_BS,
                                const GradientPasses& passes, bool own_only) {
  Step step{model, tokens_BS, passes, tokens_BS.size(0), 0, 0};
  step.passes = (step.rows + passes.rows - 1) / passes.rows;
  const std::int64_t most = model.options().device.is_cpu() ? kMostLeaves : 1;
  step.leaves =
      pass_is_leaf_ || model.shards() ? step.passes : leaves_of(step.passes, ranks_.size(), most);
  step.losses.resize(static_cast<std::size_t>(step.leaves));
  const at::NoGradGuard no_grad;
  if (model.shards()) return add_up_in_turns(step);
  const std::vector<Range> nodes = nodes_of(step.leaves, ranks_.rank(), ranks_.size());
  const at::Tensor& grads = model.params().grads();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) step.nodes.push_back(set_aside(grads));
    node(step, nodes[i], i + 1 == nodes.size());
  }
  if (!step.sum) begin_sum(step, false);
  step.sum->finish();
  if (!own_only) exchange_of(model).gather(grads);
  std::ranges::move(step.nodes, std::back_inserter(spare_));
  std::ranges::move(step.lefts, std::back_inserter(spare_));
  return mean_loss(step);
}

}  // namespace stagedtrain::train
