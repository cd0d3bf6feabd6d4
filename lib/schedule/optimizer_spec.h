// Which optimizer does a schedule ask for, and with which options?
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "text/fields.h"

namespace stagedtrain::schedule {

enum class OptimizerName { adamw, muon, lion, sgd };
enum class UpdateScale { spectral, original, match_rms_adamw };

}  // namespace stagedtrain::schedule

namespace stagedtrain {
template <>
struct EnumNames<schedule::OptimizerName> {
  static constexpr std::array names{"adamw", "muon", "lion", "sgd"};
};
template <>
struct EnumNames<schedule::UpdateScale> {
  static constexpr std::array names{"spectral", "original", "match_rms_adamw"};
};
}  // namespace stagedtrain

namespace stagedtrain::schedule {

// The options of all optimizers. After settle(), exactly those that the chosen optimizer has hold a
// value (two values for betas), so a dump shows no option without an effect.
struct OptimizerSpec {
  OptimizerName name = OptimizerName::adamw;
  std::vector<double> betas{0.9, 0.95};
  std::optional<double> eps = 1e-8;
  double weight_decay = 0.1, clip = 1.0;
  std::optional<double> momentum;
  std::optional<bool> nesterov;
  std::optional<UpdateScale> update_scale;
  std::optional<double> adamw_lr;

  template <class V>
  void fields(V& v) {
    v("name", name,
      {.doc = "adamw; muon: Muon for the matrices of the blocks, AdamW for all other tensors; "
              "lion; sgd (docs/optimizers.md)"});
    v("betas", betas,
      {.doc = "decay rates of AdamW's two moments, or of Lion's update and momentum (default for "
              "Lion: [0.9, 0.99]); sgd has none",
       .min = 0,
       .max = 0.999999});
    v("eps", eps,
      {.doc = "term added to AdamW's denominator", .min = 0, .max = 1, .above_min = true});
    v("weight_decay", weight_decay,
      {.doc = "weight decay, on matrices and embeddings only; decoupled, except for sgd, which "
              "adds it to the gradient",
       .min = 0,
       .max = 10});
    v("clip", clip, {.doc = "largest global gradient norm; 0: no clipping", .min = 0});
    v("momentum", momentum,
      {.doc = "momentum of muon (default 0.95) and of sgd (default 0.9)",
       .min = 0,
       .max = 0.999999});
    v("nesterov", nesterov,
      {.doc = "Nesterov momentum in muon (default true) and in sgd (default false)"});
    v("update_scale", update_scale,
      {.doc = "factor on muon's update of an (out x in) matrix. spectral, the default: "
              "sqrt(out/in); original: sqrt(max(1, out/in)); match_rms_adamw: 0.2 sqrt(max(out, "
              "in)), which suits learning rates that were tuned for AdamW"});
    v("adamw_lr", adamw_lr,
      {.doc = "highest learning rate of the tensors that muon leaves to AdamW (embeddings, head, "
              "norms, biases, routers); that of Muon's own tensors is lr.peak; default 0.003",
       .min = 0,
       .max = 10});
  }
};

// Fills in the defaults of the chosen optimizer and clears the options that it does not have.
// `written` is the value of `optimizer` in the document, or null. Throws Error(usage) if it is a
// map with an option that the optimizer does not have.
void settle(OptimizerSpec& spec, const Tree* written);

}  // namespace stagedtrain::schedule
