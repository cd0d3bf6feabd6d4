// Passes that run some hidden units, that run a layer several times, or that drop tokens.
#include <algorithm>
#include <cmath>

#include "arch/kept_tokens.h"
#include "model/working_models.h"
#include "reference/reference_attention.h"

namespace stagedtrain::test {
namespace {

// A model with the layers that `work` lists, each as a layer of its own with the weights of the
// listed one, and with `units` hidden units.
std::unique_ptr<model::Model> unrolled(model::Model& from, const arch::StepWork& work,
                                       std::int64_t units) {
  const std::vector<arch::LayerWork> list = work.list(from.config().layers);
  arch::ModelConfig config = from.config();
  config.layers = std::ssize(list);
  config.ffn = units;
  auto model = model::make_model(config, from.options());
  model::ParamBuffer& params = model->params();
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::ParamSpec& spec = params.table()[i];
    const std::string source =
        spec.layer < 0
            ? spec.name
            : arch::layer_name(static_cast<int>(list[static_cast<std::size_t>(spec.layer)].layer),
                               spec.key);
    at::Tensor values = from.params().view(from.params().weights(), source);
    for (std::size_t axis = 0; axis < spec.axes.size(); ++axis)
      values = values.narrow(static_cast<std::int64_t>(axis), 0, spec.axes[axis].size);
    params.view(params.weights(), i).copy_(values);
  }
  model->weights_changed();
  return model;
}

// The gradients of an unrolled model, summed over the uses of each layer, in the layout of `like`.
at::Tensor rolled_up(model::Model& like, model::Model& unrolled, const at::Tensor& grads,
                     const arch::StepWork& work) {
  const std::vector<arch::LayerWork> list = work.list(like.config().layers);
  at::Tensor sum = at::zeros_like(like.params().grads());
  const arch::ParamTable& table = unrolled.params().table();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const arch::ParamSpec& spec = table[i];
    const std::string name =
        spec.layer < 0
            ? spec.name
            : arch::layer_name(static_cast<int>(list[static_cast<std::size_t>(spec.layer)].layer),
                               spec.key);
    at::Tensor to = like.params().view(sum, name);
    for (std::size_t axis = 0; axis < spec.axes.size(); ++axis)
      to = to.narrow(static_cast<std::int64_t>(axis), 0, spec.axes[axis].size);
    to.add_(unrolled.params().view(grads, i));
  }
  return sum;
}

arch::StepWork of_layers(const std::vector<std::int64_t>& layers) {
  arch::StepWork work{.layers = std::vector<arch::LayerWork>{}};
  for (const std::int64_t layer : layers) {
    const auto use = std::ranges::count(*work.layers, layer, &arch::LayerWork::layer);
    work.layers->push_back({.layer = layer, .use = use});
  }
  return work;
}

arch::StepWork of_units(std::int64_t units) {
  arch::StepWork work{.layers = arch::StepWork{}.list(4)};
  for (arch::LayerWork& one : *work.layers) one.ffn = units;
  return work;
}

bool fused(const model::ModelOptions& options) { return options.kernels == Kernels::fused; }

}  // namespace

TEST_CASE("a path through the hidden units is the model that has these units alone") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    if (config.experts > 0) return;
    const auto model = make_filled(config, options);
    const at::Tensor whole_losses = model->row_losses(batch());
    for (const std::int64_t units : {config.ffn / 2, std::int64_t{5}}) {
      CAPTURE(units);
      model->set_work(of_units(units));
      const Pass path = pass_of(*model);
      const auto alone = unrolled(*model, {}, units);
      const Pass wanted = pass_of(*alone);
      const at::Tensor grads = rolled_up(*model, *alone, wanted.grads, {});
      if (fused(options)) {
        CHECK(path.loss == wanted.loss);
        CHECK(path.grads.equal(grads));
      } else {
        CHECK(path.loss == Approx(wanted.loss).epsilon(1e-6));
        CHECK(error_of(path.grads, grads) < 1e-5);
      }
      // Units outside the path get no gradient at all.
      CHECK(path.grads.masked_select(grads == 0).abs().sum().item<double>() == 0);
      CHECK(model->row_losses(batch()).equal(whole_losses));
      model->set_work({});
    }
  });
}

TEST_CASE("a layer that runs several times is as many layers of the same weights") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = make_filled(config, options);
    for (const std::vector<std::int64_t>& layers :
         {std::vector<std::int64_t>{0, 0, 1, 2, 2, 2, 3}, std::vector<std::int64_t>{1, 3, 1}}) {
      const arch::StepWork work = of_layers(layers);
      model->set_work(work);
      const Pass shared = pass_of(*model);
      const auto deep = unrolled(*model, work, config.ffn);
      const Pass wanted = pass_of(*deep);
      CHECK(shared.loss == wanted.loss);
      CHECK(error_of(shared.grads, rolled_up(*model, *deep, wanted.grads, work)) < 1e-5);
      model->set_work({});
    }
  });
}

TEST_CASE("every use of a layer drops by masks of its own") {
  for (const Kernels kernels : {Kernels::fused, Kernels::reference}) {
    const arch::ModelConfig config = configs()[0];
    const auto model = make_filled(config, {.kernels = kernels, .dropout = 0.5});
    model->set_work(of_layers({0, 0}));
    const double apart = pass_of(*model).loss;
    arch::StepWork same = of_layers({0, 0});
    (*same.layers)[1].use = 0;
    model->set_work(same);
    CHECK(apart != pass_of(*model).loss);
  }
  const arch::ModelConfig config = configs()[0];
  const auto one = make_filled(config, {.kernels = Kernels::fused, .dropout = 0.5}),
             other = make_filled(config, {.kernels = Kernels::reference, .dropout = 0.5});
  one->set_work(of_layers({0, 0, 3}));
  other->set_work(of_layers({0, 0, 3}));
  CHECK(pass_of(*one).loss == Approx(pass_of(*other).loss).epsilon(1e-6));
}

TEST_CASE("gradients of shared layers, of paths and of dropped tokens are those of differences") {
  for (const arch::ModelConfig& config : configs()) {
    if (config.experts > 0) continue;
    CAPTURE(config.architecture);
    const auto model =
        make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
    arch::StepWork dropped = of_layers({0, 1, 2, 3});
    dropped.token_seed = 3;
    (*dropped.layers)[1].tokens = 9;
    (*dropped.layers)[2].tokens = 13;
    for (const arch::StepWork& work : {of_layers({0, 0, 2, 2, 3}), of_units(7), dropped}) {
      model->set_work(work);
      at::manual_seed(5);
      const at::Tensor direction = at::randn_like(model->params().weights());
      // The test's passes scale gradients by 0.5.
      const double wanted = 2 * pass_of(*model).grads.dot(direction).item<double>();
      CHECK(slope_along(*model, direction, 1e-6) == Approx(wanted).epsilon(1e-5));
    }
  }
}

TEST_CASE("all tokens, in their places, are the plain pass; few are not") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    if (fused(options)) return;
    const auto model = make_filled(config, options);
    const Pass plain = pass_of(*model);
    arch::StepWork work = of_layers({0, 1, 2, 3});
    (*work.layers)[1].tokens = (*work.layers)[2].tokens = 24;
    model->set_work(work);
    const Pass all = pass_of(*model);
    CHECK(all.loss == Approx(plain.loss).epsilon(1e-6));
    CHECK(error_of(all.grads, plain.grads) < 1e-5);
    (*work.layers)[1].tokens = (*work.layers)[2].tokens = 12;
    model->set_work(work);
    CHECK(std::abs(pass_of(*model).loss - plain.loss) > 1e-6);
  });
}

TEST_CASE("kept tokens attend to one another at their own positions") {
  const arch::ModelConfig config = arch::resolved(
      {.architecture = "llama", .layers = 1, .width = 16, .heads = 2, .vocab = 61, .context = 12});
  const auto exact = at::TensorOptions(at::kDouble);
  const model::RotaryTables tables(config, exact);
  at::manual_seed(3);
  const at::Tensor qkv_BTX = at::randn({2, 12, 48}, exact);
  std::vector<std::int64_t> kept;
  for (const std::int64_t sequence : {0, 1})
    for (const std::int64_t t : arch::kept_tokens(1, sequence, 0, 12, 7)) kept.push_back(t);
  const at::Tensor positions_BK = at::tensor(kept, at::kLong).view({2, 7});
  const at::Tensor found_BKC =
      model::attend(qkv_BTX.gather(1, positions_BK.unsqueeze(2).expand({-1, -1, 48})), config,
                    tables, {}, positions_BK);
  // A plain loop over heads, queries and keys. Pair (i, i + 4) of a head turns by the angle t w_i.
  const auto turned = [&](std::int64_t b, std::int64_t t, std::int64_t first) {
    std::vector<double> x(8);
    for (std::int64_t i = 0; i < 4; ++i) {
      const double c = tables.cos[t][i].item<double>(), s = tables.sin[t][i].item<double>();
      const double low = qkv_BTX[b][t][first + i].item<double>(),
                   high = qkv_BTX[b][t][first + i + 4].item<double>();
      x[static_cast<std::size_t>(i)] = low * c - high * s;
      x[static_cast<std::size_t>(i + 4)] = high * c + low * s;
    }
    return x;
  };
  for (std::int64_t b = 0; b < 2; ++b)
    for (std::int64_t head = 0; head < 2; ++head)
      for (std::int64_t q = 0; q < 7; ++q) {
        std::vector<double> weights, out(8);
        double sum = 0;
        const auto query = turned(b, kept[static_cast<std::size_t>(b * 7 + q)], head * 8);
        for (std::int64_t k = 0; k <= q; ++k) {
          const auto key = turned(b, kept[static_cast<std::size_t>(b * 7 + k)], 16 + head * 8);
          double score = 0;
          for (std::size_t i = 0; i < 8; ++i) score += query[i] * key[i];
          weights.push_back(std::exp(score / std::sqrt(8.0)));
          sum += weights.back();
        }
        for (std::int64_t i = 0; i < 8; ++i) {
          double value = 0;
          for (std::int64_t k = 0; k <= q; ++k)
            value += weights[static_cast<std::size_t>(k)] / sum *
                     qkv_BTX[b][kept[static_cast<std::size_t>(b * 7 + k)]][32 + head * 8 + i]
                         .item<double>();
          CHECK(found_BKC[b][q][head * 8 + i].item<double>() == Approx(value));
        }
      }
}

}  // namespace stagedtrain::test
