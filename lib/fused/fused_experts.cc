// Computes the feed-forwards of a block that has experts.
//
// The copies of the rows are sorted by expert (kernels/experts.h), so the rows of an expert are
// adjacent, and a product of an expert is a product of a range of rows. Sorting needs the choices
// of all rows, so it ends a phase, and the mix needs the outputs of several experts, so it begins
// one:
//   logits  = norm_2.y W_router^T                    chosen, gates            [R, E], [R, k]
//   -- sorted copies, M = R k --
//   inputs  = norm_2.y of the copy's row                                      [M, C]
//   up      = inputs W_up^T + bias                   hidden = activation(up)  [M, U], [M, F]
//   mixture = hidden W_down^T + bias                                          [M, C]
//   -- rows --
//   branch  = sum over the copies of gate * mixture                           [R, C]
//
// Backward, dmixture = gate * dbranch and dgate = dbranch * mixture. The latter is computed without
// mixture (gate_backward), which is therefore not kept from the forward pass.
//
// The balancing loss is E / N^2 * sum over e of choices[e] * probabilities[e], with sums over the N
// rows of all layers that run (reference_experts.h). Its gradient needs the choices of all layers,
// which acts.choices counts in the forward pass.
#include "fused/fused_experts.h"

#include "fused/fused_activation_function.h"
#include "kernels/bias.h"
#include "kernels/experts.h"

namespace stagedtrain::model {
namespace {

std::int64_t copies_of(const kernels::Routing& routing, std::size_t expert) {
  return routing.first[expert + 1] - routing.first[expert];
}

// A weight of every expert that has copies.
template <class Add>
std::vector<Weight> weights_of_experts(const FusedRun& run, std::int64_t i, const Add& add) {
  const auto& experts = weights_of(run, i).experts;
  std::vector<Weight> weights(experts.size());
  for (std::size_t e = 0; e < experts.size(); ++e)
    if (copies_of(acts_of(run, i).routing, e) > 0) weights[e] = add(experts[e]);
  return weights;
}

// Calls body(expert, RowWork) for all sorted copies. As with rows (for_rows), either threads take
// chunks, or all threads share the steps of one expert after another.
template <class Body>
void for_copies(const FusedRun& run, std::int64_t i, const Body& body) {
  struct Unit {
    std::size_t expert;
    Range places;
  };
  const kernels::Routing& routing = acts_of(run, i).routing;
  const RowPlan& plan = run.acts.plan;
  std::vector<Unit> units;
  for (std::size_t e = 0; e < static_cast<std::size_t>(run.sizes.experts); ++e) {
    const std::int64_t first = routing.first[e], count = copies_of(routing, e);
    const std::int64_t parts = chunks_of(count);
    if (plan.wide && count > 0) body(e, RowWork(plan, {first, first + count}, 0, parts));
    for (std::int64_t part = 0; part < parts && !plan.wide; ++part) {
      const Range chunk = part_of(count, parts, kTileGrain, part);
      if (chunk.begin < chunk.end) units.push_back({e, {first + chunk.begin, first + chunk.end}});
    }
  }
  for_units(static_cast<std::int64_t>(units.size()), [&](std::int64_t u, std::int64_t) {
    const Unit& unit = units[static_cast<std::size_t>(u)];
    body(unit.expert, RowWork(plan, unit.places, 0, 1));
  });
}

void project_up(const FusedRun& run, std::int64_t i, std::size_t e, const Weight& up,
                const RowWork& copies) {
  const LayerActivations& a = acts_of(run, i);
  copies.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::gather_rows(a.routing, a.norm_2.y, begin, end, run.sizes.width, run.acts.inputs);
  });
  project_up(run, up, run.acts.inputs, weights_of(run, i).experts[e].up_bias, run.sizes.ffn, a.up,
             copies);
}

// Computes dup from dhidden and recomputes the hidden units, then computes the gradients of the
// gates and of what they multiply.
void gated_activation(const FusedRun& run, std::int64_t i, std::size_t e, const RowWork& copies) {
  const FusedActivations& a = run.acts;
  const FusedSizes& s = run.sizes;
  const LayerActivations& layer = acts_of(run, i);
  const FusedLayer& w = weights_of(run, i);
  // GELU's dup may be dhidden, but the gates still need dhidden
  const kernels::GateStep step{s.width,
                               s.ffn,
                               s.up_width(),
                               a.hidden,
                               a.dhidden,
                               w.experts[e].down_bias,
                               product_scale(run, w),
                               a.dmixture,
                               a.dup,
                               a.dgates};
  copies.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    activation_backward(run, layer.up, s.ffn, begin, end, nullptr);
    kernels::gate_backward(layer.routing, step, begin, end);
  });
}

void add_expert_gradients(const FusedRun& run, const FusedLayer& grads, std::int64_t i) {
  const FusedActivations& a = run.acts;
  const std::int64_t width = run.sizes.width, ffn = run.sizes.ffn, up = run.sizes.up_width();
  const kernels::Routing& routing = acts_of(run, i).routing;
  std::vector<kernels::OuterProduct> products;
  for (std::size_t e = 0; e < grads.experts.size(); ++e) {
    const FeedForwardTensors& g = grads.experts[e];
    const std::int64_t first = routing.first[e], count = copies_of(routing, e);
    if (count == 0) continue;
    products.push_back(
        {count, a.dup + first * up, up, a.inputs + first * width, width, g.up_weight});
    products.push_back(
        {count, a.dmixture + first * width, width, a.hidden + first * ffn, ffn, g.down_weight});
  }
  add_weight_gradients(a.plan.buffers, products);
  for_units(run.sizes.experts, [&](std::int64_t unit, std::int64_t) {
    const auto e = static_cast<std::size_t>(unit);
    const FeedForwardTensors& g = grads.experts[e];
    const std::int64_t begin = routing.first[e], end = routing.first[e + 1];
    if (g.up_bias) kernels::bias_backward(a.dup, begin, end, up, g.up_bias);
    if (g.down_bias) kernels::bias_backward(a.dmixture, begin, end, width, g.down_bias);
  });
}

// The derivative of the balancing loss by each expert's summed probability.
std::vector<float> balance_of(const FusedRun& run, float loss_scale) {
  const double rows = static_cast<double>(run.acts.rows * run.sizes.layers);
  const double scale = static_cast<double>(run.sizes.experts) / (rows * rows);
  std::vector<float> balance;
  for (std::int64_t e = 0; e < run.sizes.experts; ++e)
    balance.push_back(static_cast<float>(scale * static_cast<double>(run.acts.choices[e]) *
                                         static_cast<double>(loss_scale)));
  return balance;
}

}  // namespace

void route(const FusedRun& run, std::int64_t i, const Weight& router, const RowWork& rows) {
  const LayerActivations& a = acts_of(run, i);
  rows.multiply(router, a.norm_2.y, a.routing.logits);
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::choose_experts(a.routing, begin, end);
  });
}

void run_experts(const FusedRun& run, std::int64_t i, bool up_only) {
  const FusedSizes& s = run.sizes;
  const LayerActivations& a = acts_of(run, i);
  kernels::sort_copies(a.routing, run.acts.rows);
  PhaseWeights weights(run.acts.plan);
  const auto up = weights_of_experts(run, i, [&](const FeedForwardTensors& w) {
    return weights.forward(w.up_weight, s.width, s.up_width());
  });
  const auto down = weights_of_experts(run, i, [&](const FeedForwardTensors& w) {
    return weights.forward(w.down_weight, s.ffn, s.width);
  });
  weights.pack();
  for_copies(run, i, [&](std::size_t e, const RowWork& copies) {
    project_up(run, i, e, up[e], copies);
    if (up_only) return;
    copies.multiply(down[e], run.acts.hidden, run.acts.mixture,
                    {.bias = weights_of(run, i).experts[e].down_bias});
  });
  for (std::size_t e = 0; e < static_cast<std::size_t>(s.experts) && !up_only; ++e)
    run.acts.choices[e] += copies_of(a.routing, e);
}

void mix(const FusedRun& run, std::int64_t i, const RowWork& rows, float* to) {
  rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
    kernels::mix_rows(acts_of(run, i).routing, run.acts.mixture,
                      product_scale(run, weights_of(run, i)), begin, end, run.sizes.width, to);
  });
}

void experts_backward(const FusedRun& run, const FusedLayer& grads, float loss_scale,
                      std::int64_t i) {
  const FusedActivations& a = run.acts;
  const FusedSizes& s = run.sizes;
  const LayerActivations& layer = acts_of(run, i);
  PhaseWeights weights(a.plan);
  const auto down = weights_of_experts(run, i, [&](const FeedForwardTensors& w) {
    return weights.backward(w.down_weight, s.ffn, s.width);
  });
  const auto up = weights_of_experts(run, i, [&](const FeedForwardTensors& w) {
    return weights.backward(w.up_weight, s.width, s.up_width());
  });
  weights.pack();
  for_copies(run, i, [&](std::size_t e, const RowWork& copies) {
    copies.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::gather_rows(layer.routing, layer.norm_2.y, begin, end, s.width, a.inputs);
      kernels::gather_rows(layer.routing, a.dbranch, begin, end, s.width, a.dmixture);
    });
    copies.multiply(down[e], a.dmixture, a.dhidden,
                    {.scale = product_scale(run, weights_of(run, i))});
    gated_activation(run, i, e, copies);
    copies.multiply(up[e], a.dup, a.mixture);  // from here on the gradient of inputs
  });
  add_expert_gradients(run, grads, i);

  const std::vector<float> balance = balance_of(run, loss_scale);
  PhaseWeights to_norm(a.plan);
  const Weight router = to_norm.backward(weights_of(run, i).router, s.width, s.experts);
  to_norm.pack();
  for_rows(a.plan, [&](const RowWork& rows) {
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::router_backward(layer.routing, a.dgates, loss_scale > 0 ? balance.data() : nullptr,
                               begin, end, a.dlogits);
    });
    rows.multiply(router, a.dlogits, a.branch);
    rows.each([&](std::int64_t begin, std::int64_t end, std::int64_t) {
      kernels::add_copies(layer.routing, a.mixture, begin, end, s.width, a.branch);
    });
  });
  const kernels::OuterProduct product{a.rows,         a.dlogits, s.experts,
                                      layer.norm_2.y, s.width,   grads.router};
  add_weight_gradients(a.plan.buffers, {&product, 1});
}

}  // namespace stagedtrain::model
