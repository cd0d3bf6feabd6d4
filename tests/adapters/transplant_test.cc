// What adapters take from a larger model, with the sensitivity of its weights by finite differences
// and windows by brute force.
#include "adapters/transplant.h"

#include <ATen/ops/linalg_svd.h>

#include "adapters/adapters.h"
#include "adapters/sensitivity.h"
#include "arch/architectures.h"
#include "model/running_model.h"
#include "support/errors.h"

using namespace stagedtrain;
using test::error_of;

namespace {

arch::ModelConfig model_of(const char* architecture, std::int64_t layers, std::int64_t width) {
  return arch::resolved({.architecture = architecture,
                         .layers = layers,
                         .width = width,
                         .heads = 2,
                         .vocab = 19,
                         .context = 8});
}

std::unique_ptr<model::Model> running(const arch::ModelConfig& config) {
  return test::make_filled(
      config, {.precision = model::Precision::fp64, .kernels = model::Kernels::reference});
}

std::vector<at::Tensor> sequences(int count) {
  std::vector<at::Tensor> all;
  for (int i = 0; i < count; ++i)
    all.push_back(test::random_tokens(19, 1, 9, static_cast<std::uint64_t>(i)));
  return all;
}

std::vector<std::size_t> matrices_of(const arch::ParamTable& table) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i].layer >= 0 && table[i].axes.size() == 2) found.push_back(i);
  return found;
}

arch::AdapterSet adapters_of(const arch::ModelConfig& config, std::int64_t rank, double alpha) {
  arch::AdapterSet set{.rank = rank, .alpha = alpha};
  const arch::ParamTable table = arch::param_table(config);
  for (const std::size_t i : matrices_of(table)) set.matrices.push_back(table[i].name);
  return set;
}

train::Transplant taken(model::Model& larger, const arch::ModelConfig& config,
                        const arch::AdapterSet& set, const std::vector<at::Tensor>& samples) {
  std::size_t at = 0;
  return train::transplant(larger, config, set, std::ssize(samples), [&] { return samples[at++]; });
}

// scale B A.
at::Tensor product(const grow::LowRankFactors& factors, const arch::AdapterSet& set,
                   std::int64_t out, std::int64_t in) {
  const auto tensor = [](const std::vector<double>& x, at::IntArrayRef shape) {
    return at::from_blob(const_cast<double*>(x.data()), shape, at::kDouble).clone();
  };
  return set.scale() *
         at::mm(tensor(factors.b, {out, set.rank}), tensor(factors.a, {set.rank, in}));
}

at::Tensor nearest(const at::Tensor& w, std::int64_t rank) {
  const auto [u, s, v] = at::linalg_svd(w.to(at::kDouble), false);
  return at::mm(u.narrow(1, 0, rank) * s.narrow(0, 0, rank), v.narrow(0, 0, rank));
}

}  // namespace

TEST_CASE("sensitivities are |w dL/dw| of each sequence, as finite differences say, added up") {
  for (const char* architecture : {"gpt2", "llama"}) {
    const auto model = running(model_of(architecture, 2, 12));
    model::ParamBuffer& params = model->params();
    const std::vector<std::size_t> matrices = matrices_of(params.table());
    const std::vector<at::Tensor> samples = sequences(3);
    train::Sensitivity found(*model, matrices);
    for (const at::Tensor& tokens : samples) found.add(tokens);
    CHECK(params.grads().abs().max().item<double>() == 0);
    for (const std::size_t i : matrices) {
      const at::Tensor weight = params.view(params.weights(), i).view(-1);
      for (const std::int64_t at : {std::int64_t{0}, weight.numel() / 2, weight.numel() - 1}) {
        double* entry = weight.data_ptr<double>() + at;
        const double kept = *entry, h = 1e-5;
        double wanted = 0;
        for (const at::Tensor& tokens : samples) {
          const auto loss = [&](double value) {
            *entry = value;
            model->weights_changed();
            return model->row_losses(tokens).mean().item<double>();
          };
          wanted += std::abs(kept * (loss(kept + h) - loss(kept - h)) / (2 * h));
          *entry = kept;
        }
        CAPTURE(architecture, params.table()[i].name, at);
        CHECK(found.of(i).view(-1)[at].item<double>() == Approx(wanted).epsilon(1e-5).margin(1e-9));
      }
    }
  }
}

TEST_CASE("a model of the same shape gives all its layers, and its matrices whole") {
  const arch::ModelConfig config = model_of("llama", 3, 12);
  const auto larger = running(config);
  for (const double alpha : {4.0, 6.0}) {
    const arch::AdapterSet set = adapters_of(config, 4, alpha);
    const train::Transplant made = taken(*larger, config, set, sequences(2));
    CHECK(made.layers == std::vector<std::size_t>{0, 1, 2});
    REQUIRE(made.factors.size() == set.matrices.size());
    for (std::size_t i = 0; i < set.matrices.size(); ++i) {
      const at::Tensor w = larger->params().view(larger->params().weights(), set.matrices[i]);
      CHECK(error_of(product(made.factors[i], set, w.size(0), w.size(1)), nearest(w, 4)) < 1e-10);
    }
  }
}

TEST_CASE("layers and windows are those that adding up every sensitivity finds") {
  for (const char* architecture : {"gpt2", "llama"}) {
    CAPTURE(architecture);
    const auto larger = running(model_of(architecture, 5, 16));
    const arch::ModelConfig config = model_of(architecture, 2, 12);
    // Layers 1 and 3 are made sensitive, and only the lower right part of the matrices.
    model::ParamBuffer& params = larger->params();
    for (const std::size_t i : matrices_of(params.table())) {
      const int layer = params.table()[i].layer;
      const at::Tensor w = params.view(params.weights(), i);
      w.mul_(layer == 1 || layer == 3 ? 1.5 : 0.3);
    }
    larger->weights_changed();
    const std::vector<at::Tensor> samples = sequences(4);
    train::Sensitivity sums(*larger, matrices_of(params.table()));
    for (const at::Tensor& tokens : samples) sums.add(tokens);
    std::vector<double> layers(5);
    for (const std::size_t i : matrices_of(params.table()))
      layers[static_cast<std::size_t>(params.table()[i].layer)] += sums.of(i).sum().item<double>();
    const arch::AdapterSet set = adapters_of(config, 3, 6);
    const train::Transplant made = taken(*larger, config, set, samples);
    REQUIRE(made.layers.size() == 2);
    CHECK(made.layers[0] < made.layers[1]);
    for (std::size_t layer = 0; layer < 5; ++layer)
      if (layer != made.layers[0] && layer != made.layers[1]) {
        CHECK(layers[layer] <= layers[made.layers[0]]);
        CHECK(layers[layer] <= layers[made.layers[1]]);
      }
    const arch::ParamTable table = arch::param_table(config);
    std::size_t moved = 0;
    for (std::size_t m = 0; m < set.matrices.size(); ++m) {
      const arch::ParamSpec& spec = table[static_cast<std::size_t>(table.index(set.matrices[m]))];
      const std::int64_t out = spec.axes[0].size, in = spec.axes[1].size;
      const auto from = static_cast<std::size_t>(params.table().index(arch::layer_name(
          static_cast<int>(made.layers[static_cast<std::size_t>(spec.layer)]), spec.key)));
      const at::Tensor all = sums.of(from), w = params.view(params.weights(), from);
      double most = -1;
      at::Tensor best;
      for (std::int64_t r = 0; r + out <= all.size(0); ++r)
        for (std::int64_t c = 0; c + in <= all.size(1); ++c) {
          const auto window = [&](const at::Tensor& x) {
            return x.narrow(0, r, out).narrow(1, c, in);
          };
          const double sum = window(all).sum().item<double>();
          if (sum <= most) continue;
          moved += most >= 0;
          most = sum;
          best = window(w);
        }
      CAPTURE(set.matrices[m]);
      CHECK(error_of(product(made.factors[m], set, out, in), nearest(best, 3)) < 1e-10);
    }
    CHECK(moved > 0);
  }
}

TEST_CASE("the model keeps its bits when adapters begin with factors, and merges to itself") {
  for (const auto precision : {model::Precision::fp32, model::Precision::fp64}) {
    const arch::ModelConfig config = model_of("gpt2", 2, 12);
    const auto larger = running(model_of("gpt2", 3, 16));
    const auto model =
        test::make_filled(config, {.precision = precision, .kernels = model::Kernels::reference});
    model::ParamBuffer& params = model->params();
    const at::Tensor before = params.weights().clone();
    const arch::AdapterSet set = adapters_of(config, 4, 6);
    train::Adapters adapters(set, params, 1);
    const train::Transplant made = taken(*larger, config, set, sequences(2));
    for (std::size_t i = 0; i < set.matrices.size(); ++i)
      adapters.begin_with(made.factors[i], i, params);
    CHECK(at::equal(params.weights(), before));
    const double tolerance = precision == model::Precision::fp32 ? 1e-6 : 1e-14;
    for (std::size_t i = 0; i < set.matrices.size(); ++i) {
      at::Tensor buffer;
      adapters.get(arch::kNumAdapterParts * i, buffer);  // W_0
      const at::Tensor w = params.view(before, set.matrices[i]),
                       delta = product(made.factors[i], set, w.size(0), w.size(1));
      CHECK(error_of(buffer.to(at::kDouble) + delta, w) < tolerance);
      CHECK(delta.abs().max().item<double>() > 0.01);
    }
    adapters.merge(params);
    CHECK(error_of(params.weights(), before) < tolerance);
  }
}

TEST_CASE("a gradient that is not finite is refused") {
  const arch::ModelConfig config = model_of("gpt2", 1, 12);
  const auto larger = running(config);
  larger->params().view(larger->params().weights(), "layers.0.norm_1.weight").fill_(NAN);
  larger->weights_changed();
  const std::string said = test::refusal(
      ErrorKind::input, [&] { taken(*larger, config, adapters_of(config, 2, 4), sequences(1)); });
  CHECK(said.find("layer 0 of the larger model has a gradient that is not finite") !=
        std::string::npos);
}
