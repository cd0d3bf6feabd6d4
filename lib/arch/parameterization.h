// Which model was the learning rate tuned on? Initial values and optimizer steps of another size
// are scaled from it: muP for width (arXiv 2203.03466), CompleteP for depth (arXiv 2505.01618).
// lib/arch/parameter_scales.h has the formulas.
#pragma once

#include <cstdint>

#include "text/fields.h"

namespace stagedtrain::arch {

// base_width 0: nothing is scaled. base_layers 0: nothing is scaled by depth. In a schedule,
// final_layers 0 means the layers of the final model; in a ModelConfig it is that number.
//
// The multiplier of the residual branches is base_layers / final_layers from the first step on. A
// multiplier of the present depth would change the function of the model whenever layers are added.
struct Parameterization {
  std::int64_t base_width = 0, base_layers = 0, final_layers = 0;
  bool operator==(const Parameterization&) const = default;

  bool scales_width() const { return base_width > 0; }
  bool scales_depth() const { return base_layers > 0; }
  // Factor of what the branches of each layer add to the residual stream.
  double branch_scale() const {
    return scales_depth() ? static_cast<double>(base_layers) / static_cast<double>(final_layers)
                          : 1;
  }

  template <class V>
  void fields(V& v) {
    v("base_width", base_width,
      {.doc =
           "width of the model that lr.peak, weight decay and eps were tuned on. A model of this "
           "width and the usual proportions trains as it would without the key",
       .min = 1,
       .max = 1 << 24,
       .required = true});
    v("base_layers", base_layers,
      {.doc = "layers of that model: residual branches are multiplied by base_layers / "
              "final_layers (CompleteP); 0 means that depth changes nothing; not with muon",
       .min = 0,
       .max = 65536});
    v("final_layers", final_layers,
      {.doc = "the depth for which that multiplier is fixed from the first step on; 0 means the "
              "layers of the final model",
       .min = 0,
       .max = 65536});
  }
};

}  // namespace stagedtrain::arch
