// Shrink, pad and perturb (SZP): a warm start that gives up exactness so that a larger model learns
// as a fresh one does (arXiv 2411.07340, 2605.13405).
#pragma once

#include <cstdint>

#include "grow/recipe.h"
#include "text/fields.h"

namespace stagedtrain::grow {

// W' = shrink [W 0; 0 0] + noise N, for every matrix and embedding. The entries of N are normal,
// with the standard deviation of a fresh tensor of the larger model.
struct ShrinkPerturb {
  double shrink = 1, noise = 0;
  template <class V>
  void fields(V& v) {
    v("shrink", shrink,
      {.doc = "factor of old matrices and embeddings (a warm start by shrinking, padding and "
              "perturbing takes 0.4); below 1 the loss changes",
       .min = 0,
       .max = 1,
       .above_min = true});
    v("noise", noise,
      {.doc =
           "standard deviation of random numbers added to all matrices and embeddings, relative "
           "to that of fresh ones of the larger model; above 0 the loss changes, and new entries "
           "consist of these numbers alone",
       .min = 0,
       .max = 10});
  }
};

// Applies both to a step that pads. With noise, other random numbers in new entries are left out:
// the noise takes their place. Norms and biases stay as they are, and so do moments. Does nothing
// with the defaults.
void shrink_and_perturb(const ShrinkPerturb& options, const arch::ParamTable& targets,
                        std::int64_t seed, GrowthStep& step);

}  // namespace stagedtrain::grow
