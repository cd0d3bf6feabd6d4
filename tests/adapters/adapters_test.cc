// The adapters of a running model: what the merged matrices are, and their gradients.
#include "adapters/adapters.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "adapters/low_rank.h"
#include "arch/architectures.h"
#include "model/running_model.h"

using namespace stagedtrain;
using test::error_of;

namespace {

arch::ModelConfig model_of(const char* architecture) {
  arch::ModelConfig model{.architecture = architecture,
                          .layers = 2,
                          .width = 24,
                          .heads = 2,
                          .vocab = 19,
                          .context = 8};
  return arch::resolved(model);
}

// Adapters of rank 3 on all matrices of the layers, with random B.
struct Adapted {
  explicit Adapted(const char* architecture, model::Precision precision, double alpha = 5)
      : model(test::make_filled(model_of(architecture),
                                {.precision = precision, .kernels = model::Kernels::reference})),
        set{.rank = 3, .alpha = alpha} {
    for (const arch::ParamSpec& spec : model->params().table())
      if (spec.layer >= 0 && spec.axes.size() == 2) set.matrices.push_back(spec.name);
    adapters.emplace(set, model->params(), 11);
    at::manual_seed(3);
    for (std::size_t i = 1; i < values().table().size(); i += 2)
      values().view(values().weights(), i).normal_(0, 0.1);
  }
  model::ParamBuffer& values() { return adapters->values(); }
  at::Tensor factor(std::size_t i) { return values().view(values().weights(), i); }
  double loss(const at::Tensor& tokens) {
    const at::NoGradGuard no_grad;
    adapters->merge(model->params());
    model->weights_changed();
    return model->row_losses(tokens).mean().item<double>();
  }

  std::unique_ptr<model::Model> model;
  arch::AdapterSet set;
  std::optional<train::Adapters> adapters;
};

}  // namespace

TEST_CASE("the products of adapters are those of a library, whatever the number of threads") {
  const std::int64_t out = 37, in = 53, rank = 5;
  at::manual_seed(1);
  const auto options = at::TensorOptions(at::kDouble);
  const at::Tensor a = at::randn({rank, in}, options), b = at::randn({out, rank}, options),
                   base = at::randn({out, in}, options), g = at::randn({out, in}, options);
  const auto make = [&](auto zero, int threads) {
    using T = decltype(zero);
    const at::ScalarType type = c10::CppTypeToScalarType<T>::value;
    const auto in_t = [&](const at::Tensor& x) { return x.to(type); };
    const at::Tensor ta = in_t(a), tb = in_t(b), tbase = in_t(base), tg = in_t(g);
    std::vector<at::Tensor> made = {at::empty({out, in}, type), at::empty({rank, in}, type),
                                    at::empty({out, rank}, type)};
    const train::LowRank<T> m{ta.data_ptr<T>(), tb.data_ptr<T>(), out, in, rank, T(0.7)};
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    train::merge<T>(m, tbase.data_ptr<T>(), made[0].data_ptr<T>());
    train::gradient_of_a<T>(m, tg.data_ptr<T>(), made[1].data_ptr<T>());
    train::gradient_of_b<T>(m, tg.data_ptr<T>(), made[2].data_ptr<T>());
    at::set_num_threads(before);
    return made;
  };
  const std::vector<at::Tensor> wanted = {base + 0.7 * at::mm(b, a), 0.7 * at::mm(b.t(), g),
                                          0.7 * at::mm(g, a.t())};
  const auto in_double = make(double{}, 1), in_float = make(float{}, 1), shared = make(float{}, 2);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(error_of(in_double[i], wanted[i]) < 1e-14);
    CHECK(error_of(in_float[i], wanted[i]) < 1e-6);
    CHECK(at::equal(in_float[i], shared[i]));
  }
}

TEST_CASE("with B zero the weights keep their bits, and the bases do always") {
  Adapted one("gpt2", model::Precision::fp32);
  const at::Tensor before = one.model->params().weights().clone();
  for (std::size_t i = 1; i < one.values().table().size(); i += 2) one.factor(i).zero_();
  one.adapters->merge(one.model->params());
  CHECK(at::equal(one.model->params().weights(), before));
  for (std::size_t i = 1; i < one.values().table().size(); i += 2) one.factor(i).fill_(0.3);
  one.adapters->merge(one.model->params());
  CHECK(!at::equal(one.model->params().weights(), before));
  for (std::size_t i = 0; i < one.set.matrices.size(); ++i) {
    at::Tensor buffer;
    const auto base = one.adapters->get(arch::kNumAdapterParts * i, buffer);
    const at::Tensor was = one.model->params().view(before, one.set.matrices[i]).contiguous();
    CHECK(std::memcmp(base.data(), was.data_ptr(), base.size()) == 0);
  }
}

TEST_CASE("merged matrices give the logits of a second path through A and B") {
  Adapted one("gpt2", model::Precision::fp64, 3);
  const at::Tensor base = one.model->params().weights().clone();
  one.adapters->merge(one.model->params());
  // x W^T = x W_0^T + alpha / r (x A^T) B^T, for inputs of a matrix.
  const at::Tensor x = at::randn({6, 24}, at::kDouble);
  for (std::size_t i = 0; i < one.set.matrices.size(); ++i) {
    const at::Tensor w = one.model->params().view(one.model->params().weights(),
                                                  one.set.matrices[i]),
                     w0 = one.model->params().view(base, one.set.matrices[i]);
    if (w.size(1) != 24) continue;
    const at::Tensor path =
        at::mm(x, w0.t()) +
        3.0 / 3 * at::mm(at::mm(x, one.factor(2 * i).t()), one.factor(2 * i + 1).t());
    CHECK(error_of(at::mm(x, w.t()), path) < 1e-13);
  }
}

TEST_CASE("the loss falls along the gradients of A and B as finite differences say") {
  for (const char* architecture : {"gpt2", "llama"}) {
    CAPTURE(architecture);
    Adapted one(architecture, model::Precision::fp64);
    const at::Tensor tokens = test::random_tokens(19, 3, 9);
    one.loss(tokens);
    one.model->loss_and_backward(tokens, 1.0, 0);
    one.adapters->pull_back(one.model->params());
    for (std::size_t i = 0; i < one.values().table().size(); ++i) {
      const at::Tensor factor = one.factor(i).view(-1),
                       gradient = one.values().view(one.values().grads(), i).view(-1);
      for (const std::int64_t at : {std::int64_t{0}, factor.numel() / 2, factor.numel() - 1}) {
        double* entry = factor.data_ptr<double>() + at;
        const double kept = *entry, h = 1e-5;
        *entry = kept + h;
        const double above = one.loss(tokens);
        *entry = kept - h;
        const double below = one.loss(tokens);
        *entry = kept;
        CAPTURE(one.values().table()[i].name, at);
        CHECK(gradient[at].item<double>() ==
              Approx((above - below) / (2 * h)).epsilon(1e-5).margin(1e-9));
      }
    }
  }
}

TEST_CASE("what is stored of adapters comes back to the last bit") {
  Adapted one("gpt2", model::Precision::fp32), other("gpt2", model::Precision::fp32, 5);
  one.values().exp_avg().normal_();
  one.values().exp_avg_sq().uniform_();
  at::Tensor buffer, again;
  REQUIRE(one.adapters->num_stored() == 7 * one.set.matrices.size());
  for (std::size_t i = 0; i < one.adapters->num_stored(); ++i)
    other.adapters->set_stored(i, one.adapters->get(i, buffer));
  for (std::size_t i = 0; i < one.adapters->num_stored(); ++i)
    CHECK(std::ranges::equal(one.adapters->get(i, buffer), other.adapters->get(i, again)));
  for (const auto kind : state::kTensorKinds)
    CHECK(at::equal(one.values().of(kind), other.values().of(kind)));
}
