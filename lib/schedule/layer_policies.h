// Which options do the training policies have that leave out layers at random (docs/policies.md)?
#pragma once

#include <array>
#include <string>
#include <vector>

#include "text/fields.h"

namespace stagedtrain::schedule {

// How often layers are drawn: once for each micro-batch (for each step if batch.micro is 0), or
// once for each step. Drawing for each sequence is not offered, because a layer runs all rows of a
// batch together.
enum class LayerDraw { micro, step };
enum class PathScale { none, inverse_keep };

struct LayerDropoutSpec {
  double max = 0.5;
  LayerDraw draw = LayerDraw::micro;
  template <class V>
  void fields(V& v) {
    v("max", max,
      {.doc = "probability that the last layer is left out at the stage's first step. The first "
              "layer is never left out; the probability rises linearly from layer to layer and "
              "falls linearly to 0 at the stage's last step. The branches of layers that run are "
              "multiplied by 1 / (1 - probability)",
       .min = 0,
       .max = 0.9});
    v("draw", draw,
      {.doc = "how often layers are drawn: micro, once for each micro-batch (batch.micro; once for "
              "each step if that is 0); step, once for each step"});
  }
};

struct LayerPathSpec {
  double layers = 0;
  std::vector<double> then;
  std::vector<std::string> keep{"first", "last"};
  PathScale scale = PathScale::none;
  LayerDraw draw = LayerDraw::step;
  template <class V>
  void fields(V& v) {
    v("layers", layers,
      {.doc = "mean number of layers that run; the layers of keep always run, each of the others "
              "with the same probability",
       .min = 1,
       .max = 1e6,
       .required = true});
    v("then", then,
      {.doc = "values of layers for the later parts of the stage, which is divided into equal "
              "parts: {layers: 6, then: [8, 10, 12]} has four",
       .min = 1,
       .max = 1e6});
    v("keep", keep,
      {.doc = "layers that always run: first, last, or both", .choices = {"first", "last"}});
    v("scale", scale,
      {.doc = "factor on the branches of a layer that runs: none, 1; inverse_keep, 1 / its "
              "probability of running"});
    v("draw", draw, {.doc = "how often layers are drawn, as in layer_dropout.draw"});
  }
};

}  // namespace stagedtrain::schedule

namespace stagedtrain {
template <>
struct EnumNames<schedule::LayerDraw> {
  static constexpr std::array names{"micro", "step"};
};
template <>
struct EnumNames<schedule::PathScale> {
  static constexpr std::array names{"none", "inverse_keep"};
};
}  // namespace stagedtrain
