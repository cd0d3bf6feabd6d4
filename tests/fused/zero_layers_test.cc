// Fused models without layers against the reference in fp64: losses, logits and every gradient.
#include "laws/growth_cases.h"
#include "model/running_model.h"

namespace stagedtrain::test {

using model::Kernels;
using model::Precision;
using model::Recompute;

TEST_CASE("without layers, fused kernels compute what the reference does") {
  for (arch::ModelConfig config : law_models()) {
    config.layers = 0;
    config.router_loss = config.experts > 0 ? 0.01 : 0;
    for (const Recompute recompute : {Recompute::none, Recompute::norms, Recompute::blocks}) {
      const bool after = arch::block_style(config).norms_after;
      if (after && recompute == Recompute::blocks) continue;  // not offered
      CAPTURE(describe(config));
      const auto fused = make_filled(config, {.kernels = Kernels::fused, .recompute = recompute});
      const auto exact =
          make_filled(config, {.precision = Precision::fp64, .kernels = Kernels::reference});
      const at::Tensor tokens_BS = random_tokens(config.vocab, 3, config.context + 1);
      const double found = fused->loss_and_backward(tokens_BS, 2, 1).item<double>(),
                   wanted = exact->loss_and_backward(tokens_BS, 2, 1).item<double>();
      CHECK(found == Approx(wanted).epsilon(1e-5));
      for (std::size_t i = 0; i < exact->params().table().size(); ++i) {
        CAPTURE(exact->params().table()[i].name);
        CHECK(error_of(fused->params().view(fused->params().grads(), i),
                       exact->params().view(exact->params().grads(), i)) < 1e-4);
      }
      const at::Tensor tokens_BT = tokens_BS.narrow(1, 0, config.context);
      CHECK(error_of(fused->logits(tokens_BT), exact->logits(tokens_BT)) < 1e-4);
    }
  }
}

}  // namespace stagedtrain::test
