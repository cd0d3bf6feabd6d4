// Layers that do not run and tensors that are not trained: what remains has the same bits, and the
// rest costs nothing.
#include <algorithm>
#include <functional>

#include "model/working_models.h"
#include "state/tensor_history.h"

namespace stagedtrain::test {
namespace {

// Histories under which only the tensors that `trained` accepts are trained.
template <class Trained>
void train_only(model::Model& model, const Trained& trained) {
  std::vector<state::TensorHistory> histories;
  for (const arch::ParamSpec& spec : model.params().table())
    histories.push_back({.generation = trained(spec) ? 1 : 0});
  model.params().set_histories(histories, 1);
}

TEST_CASE("what is frozen changes no bit of the gradients of what is trained") {
  const auto in_layers = [](std::vector<int> layers) {
    return [layers](const arch::ParamSpec& spec) {
      return std::ranges::find(layers, spec.layer) != layers.end() && spec.layer >= 0;
    };
  };
  const std::vector<std::pair<std::string, std::function<bool(const arch::ParamSpec&)>>> cases = {
      {"one block", in_layers({2})},
      {"the first block", in_layers({0})},
      {"the last block", in_layers({3})},
      {"two blocks", in_layers({1, 3})},
      {"the head", [](const arch::ParamSpec& s) { return s.role == arch::Role::head; }},
      {"the final norm", [](const arch::ParamSpec& s) { return s.role == arch::Role::final_norm; }},
      {"the embedding", [](const arch::ParamSpec& s) { return s.name == "embed.token"; }},
      {"one matrix",
       [](const arch::ParamSpec& s) {
         return s.name == "layers.1.mlp.down.weight" ||
                s.name == "layers.1.mlp.experts.1.down.weight";
       }},
      {"norms", [](const arch::ParamSpec& s) { return s.key == "norm_2.weight"; }}};
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = make_filled(config, options);
    const Pass full = pass_of(*model);
    for (const auto& [name, trained] : cases) {
      CAPTURE(name);
      if (name == "the head" && config.tied) continue;
      train_only(*model, trained);
      const Pass part = pass_of(*model);
      CHECK(part.loss == full.loss);
      model::ParamBuffer& params = model->params();
      for (std::size_t i = 0; i < params.table().size(); ++i) {
        const arch::ParamSpec& spec = params.table()[i];
        CAPTURE(spec.name);
        const at::Tensor found = params.view(part.grads, i);
        if (trained(spec)) {
          CHECK(found.equal(params.view(full.grads, i)));
        } else {
          CHECK(found.abs().max().item<double>() == 0);  // its product was not made
        }
      }
      model->params().set_histories(std::vector<state::TensorHistory>(params.table().size()));
    }
    CHECK(pass_of(*model).grads.equal(full.grads));
  });
}

// A model with some layers of another, and all else that it has.
std::unique_ptr<model::Model> with_layers(model::Model& from, const std::vector<int>& layers) {
  arch::ModelConfig config = from.config();
  config.layers = static_cast<std::int64_t>(layers.size());
  auto model = model::make_model(config, from.options());
  model::ParamBuffer& params = model->params();
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::ParamSpec& spec = params.table()[i];
    const std::string source =
        spec.layer < 0 ? spec.name
                       : arch::layer_name(layers[static_cast<std::size_t>(spec.layer)], spec.key);
    params.view(params.weights(), i).copy_(from.params().view(from.params().weights(), source));
  }
  model->weights_changed();
  return model;
}

TEST_CASE("a pass over some layers is a pass of the model that has these layers alone") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = make_filled(config, options);
    const at::Tensor whole_losses = model->row_losses(batch());
    for (const std::vector<int>& layers :
         {std::vector<int>{0, 3}, std::vector<int>{1}, std::vector<int>{0, 1, 2, 3}}) {
      std::vector<double> scales(4, 0);
      for (const int layer : layers) scales[static_cast<std::size_t>(layer)] = 1;
      model->set_work(arch::scaled_layers(scales));
      const Pass part = pass_of(*model);
      const auto alone = with_layers(*model, layers);
      const Pass wanted = pass_of(*alone);
      CHECK(part.loss == wanted.loss);
      model::ParamBuffer &found = model->params(), &other = alone->params();
      double elsewhere = part.grads.abs().sum().item<double>();
      for (std::size_t i = 0; i < other.table().size(); ++i) {
        const arch::ParamSpec& spec = other.table()[i];
        const std::string name =
            spec.layer < 0
                ? spec.name
                : arch::layer_name(layers[static_cast<std::size_t>(spec.layer)], spec.key);
        CAPTURE(name);
        CHECK(found.view(part.grads, name).equal(other.view(wanted.grads, i)));
        elsewhere -= found.view(part.grads, name).abs().sum().item<double>();
      }
      CHECK(std::abs(elsewhere) < 1e-3);
      CHECK(model->row_losses(batch()).equal(whole_losses));  // evaluation is of the whole model
      model->set_work({});
    }
  });
}

// Whether a tensor is the last factor or term of a branch.
bool ends_branch(const arch::ModelConfig& config, const arch::ParamSpec& spec) {
  if (arch::block_style(config).norms_after)
    return spec.key == "norm_1.weight" || spec.key == "norm_2.weight";
  return spec.key.starts_with("attention.output.") || spec.key.find(".down.") != std::string::npos;
}

// A model whose branches' outputs are multiplied by these factors, by their weights and biases.
std::unique_ptr<model::Model> with_scales(model::Model& from, const std::vector<double>& scales) {
  auto model = model::make_model(from.config(), from.options());
  model::ParamBuffer& params = model->params();
  params.weights().copy_(from.params().weights());
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::ParamSpec& spec = params.table()[i];
    if (ends_branch(from.config(), spec))
      params.view(params.weights(), i).mul_(scales[static_cast<std::size_t>(spec.layer)]);
  }
  model->weights_changed();
  return model;
}

TEST_CASE("a branch's scale is that of its output's weight and bias, forward and backward") {
  const std::vector<double> scales{1, 2, 0, 0.25};
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = make_filled(config, options);
    const auto scaled = with_scales(*model, scales);
    const Pass wanted = pass_of(*scaled);
    model->set_work(arch::scaled_layers(scales));
    const Pass part = pass_of(*model);
    CHECK(part.loss == Approx(wanted.loss).epsilon(1e-6));
    model::ParamBuffer& params = model->params();
    for (std::size_t i = 0; i < params.table().size(); ++i) {
      const arch::ParamSpec& spec = params.table()[i];
      CAPTURE(spec.name);
      at::Tensor want = params.view(wanted.grads, i).clone();
      const double scale = spec.layer < 0 ? 1 : scales[static_cast<std::size_t>(spec.layer)];
      if (ends_branch(config, spec)) want.mul_(scale);
      if (scale == 0) want.zero_();
      const double largest = wanted.grads.abs().max().item<double>();
      CHECK((params.view(part.grads, i) - want).abs().max().item<double>() <= 3e-6 * largest);
    }
  });
}

TEST_CASE("work of all layers with scale 1 is the whole model to the bit") {
  for_models([&](const arch::ModelConfig& config, const model::ModelOptions& options) {
    const auto model = make_filled(config, options);
    const Pass full = pass_of(*model);
    model->set_work(arch::scaled_layers({1, 1, 1, 1}));
    const Pass same = pass_of(*model);
    CHECK(same.loss == full.loss);
    CHECK(same.grads.equal(full.grads));
  });
}

}  // namespace
}  // namespace stagedtrain::test
