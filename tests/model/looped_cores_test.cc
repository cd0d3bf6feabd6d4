// Looped cores on every kind of kernels: passes, boundaries and their gradients.
#include "arch/loops.h"
#include "model/working_models.h"
#include "reference/decoder.h"

namespace stagedtrain::test {
namespace {

struct Parts {
  std::int64_t prelude, core, coda, passes;
};
constexpr Parts kParts[] = {{1, 2, 1, 3}, {0, 3, 1, 2}, {2, 2, 0, 2}};

arch::ModelConfig looped(arch::ModelConfig config, const Parts& parts, bool boundary = true) {
  config.layers = parts.prelude + parts.core + parts.coda;
  config.prelude = parts.prelude;
  config.core = parts.core;
  config.coda = parts.coda;
  config.passes = parts.passes;
  config.boundary = boundary;
  config.boundary_alpha = boundary ? 0.6 : 1;
  return arch::resolved(config);
}

arch::ModelConfig untied(arch::ModelConfig config) {
  config.layers = arch::executed_layers(config);
  config.tied_cores = false;
  return arch::resolved(config);
}

// Calls f(index in `large`, index in `tied`) for each tensor of the untied model.
template <class F>
void for_copies(model::Model& tied, model::Model& large, const F& f) {
  const std::vector<arch::LayerWork> list = arch::whole_work(tied.config()).list(0);
  const arch::ParamTable &from = tied.params().table(), &to = large.params().table();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::string name =
        to[i].layer < 0
            ? to[i].name
            : arch::layer_name(static_cast<int>(list[static_cast<std::size_t>(to[i].layer)].layer),
                               to[i].key);
    f(i, static_cast<std::size_t>(from.index(name)));
  }
}

std::unique_ptr<model::Model> untied_twin(model::Model& tied) {
  auto large = model::make_model(untied(tied.config()), tied.options());
  model::ParamBuffer &from = tied.params(), &to = large->params();
  for_copies(tied, *large, [&](std::size_t i, std::size_t source) {
    to.view(to.weights(), i).copy_(from.view(from.weights(), source));
  });
  large->weights_changed();
  return large;
}

// body(tied model) for all parts, architectures and ways of computing.
template <class Body>
void for_looped(const Body& body) {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    for (const Parts& parts : kParts) {
      CAPTURE(parts.prelude, parts.core, parts.coda, parts.passes);
      body(looped(config, parts), options);
    }
  });
}

at::Tensor inputs() { return batch().narrow(1, 0, 24); }

}  // namespace

TEST_CASE("one pass without boundaries is the plain model, to the bit") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto plain = make_filled(config, options),
               once = make_filled(looped(config, {1, 2, 1, 1}, false), options);
    const Pass wanted = pass_of(*plain), found = pass_of(*once);
    CHECK(found.loss == wanted.loss);
    CHECK(found.grads.equal(wanted.grads));
    CHECK(once->logits(inputs()).equal(plain->logits(inputs())));
  });
}

TEST_CASE("passes without boundaries are layers that run several times, to the bit") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto plain = make_filled(config, options),
               loops = make_filled(looped(config, {1, 2, 1, 2}, false), options);
    plain->set_work(arch::whole_work(loops->config()));
    const Pass wanted = pass_of(*plain), found = pass_of(*loops);
    CHECK(found.loss == wanted.loss);
    CHECK(found.grads.equal(wanted.grads));
  });
}

TEST_CASE("untied copies compute the same bits, and share the gradient of the tied core") {
  for_looped([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto tied = make_filled(config, options);
    const auto large = untied_twin(*tied);
    const Pass of_tied = pass_of(*tied), of_large = pass_of(*large);
    CHECK(of_tied.loss == of_large.loss);
    CHECK(tied->row_losses(batch()).equal(large->row_losses(batch())));
    CHECK(tied->logits(inputs()).equal(large->logits(inputs())));
    at::Tensor sum = at::zeros_like(of_tied.grads);
    for_copies(*tied, *large, [&](std::size_t i, std::size_t source) {
      tied->params().view(sum, source).add_(large->params().view(of_large.grads, i));
    });
    CHECK(error_of(sum, of_tied.grads) < (options.precision == Precision::fp64 ? 1e-13 : 2e-6));
  });
}

TEST_CASE("fused and reference kernels agree on looped cores, with dropout too") {
  for (const arch::ModelConfig& plain : configs())
    for (const Parts& parts : kParts)
      for (const double dropout : {0.0, 0.2}) {
        const arch::ModelConfig config = looped(plain, parts);
        CAPTURE(config.architecture, config.experts, parts.passes, parts.prelude, dropout);
        const auto fused = make_filled(config, {.kernels = Kernels::fused, .dropout = dropout}),
                   reference =
                       make_filled(config, {.kernels = Kernels::reference, .dropout = dropout});
        const Pass found = pass_of(*fused), wanted = pass_of(*reference);
        CHECK(found.loss == Approx(wanted.loss).epsilon(1e-6));
        CHECK(error_of(found.grads, wanted.grads) < 2e-5);
        CHECK(error_of(fused->logits(inputs()), reference->logits(inputs())) < 2e-5);
      }
}

TEST_CASE("what is recomputed in looped cores changes no bit") {
  for (const arch::ModelConfig& plain : configs()) {
    const arch::ModelConfig config = looped(plain, kParts[0]);
    for (const Kernels kernels : {Kernels::fused, Kernels::reference}) {
      const auto stored = make_filled(config, {.kernels = kernels});
      const Pass wanted = pass_of(*stored);
      for (const Recompute recompute : {Recompute::norms, Recompute::blocks}) {
        if (kernels == Kernels::fused && recompute == Recompute::blocks &&
            arch::block_style(config).norms_after)
          continue;
        const auto again = make_filled(config, {.kernels = kernels, .recompute = recompute});
        const Pass found = pass_of(*again);
        CHECK(found.loss == wanted.loss);
        CHECK(found.grads.equal(wanted.grads));
      }
    }
  }
}

TEST_CASE("gradients of looped cores are slopes of the loss") {
  for (const arch::ModelConfig& plain : configs())
    for (const Parts& parts : kParts) {
      const arch::ModelConfig config = looped(plain, parts);
      CAPTURE(config.architecture, config.experts, parts.prelude);
      const auto model =
          make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
      const at::Tensor grads = pass_of(*model).grads * 2;  // pass_of scales by 0.5
      at::manual_seed(3);
      for (int i = 0; i < 3; ++i) {
        const at::Tensor direction = at::randn_like(grads);
        const double wanted = slope_along(*model, direction, 1e-7);
        CHECK((grads * direction).sum().item<double>() == Approx(wanted).epsilon(1e-6));
      }
    }
}

TEST_CASE("frozen layers of looped cores leave all other gradients as they are") {
  for_looped([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = make_filled(config, options);
    const Pass whole = pass_of(*model);
    const arch::ParamTable& table = model->params().table();
    for (const std::int64_t lowest : {std::int64_t{1}, config.layers - 1}) {
      std::vector<bool> frozen;
      for (const arch::ParamSpec& spec : table)
        frozen.push_back(spec.layer >= 0 ? spec.layer < lowest : spec.role == arch::Role::embed);
      const std::vector<state::TensorHistory> histories(table.size());
      model->params().set_histories(histories, 0, {.frozen = frozen});
      const Pass part = pass_of(*model);
      CHECK(part.loss == whole.loss);
      for (std::size_t i = 0; i < table.size(); ++i)
        if (!frozen[i])
          CHECK(model->params().view(part.grads, i).equal(model->params().view(whole.grads, i)));
      model->params().set_histories(histories);
    }
  });
}

TEST_CASE("a decoder of a looped model caches the keys of every pass") {
  for (const arch::ModelConfig& plain : configs())
    for (const Parts& parts : kParts) {
      const auto model = make_filled(looped(plain, parts),
                                     {.precision = Precision::fp64, .kernels = Kernels::reference});
      const at::Tensor tokens_T = random_tokens(61, 1, 12)[0];
      const at::Tensor wanted = model->logits(tokens_T.unsqueeze(0))[0];
      const auto decoder = model::make_decoder(*model);
      CHECK(error_of(decoder->read(tokens_T.narrow(0, 0, 5), 5), wanted.narrow(0, 0, 5)) < 1e-12);
      for (std::int64_t t = 5; t < 12; ++t)
        CHECK(error_of(decoder->read(tokens_T.narrow(0, t, 1))[0], wanted[t]) < 1e-12);
    }
}

}  // namespace stagedtrain::test
