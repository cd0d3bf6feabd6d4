// How much could endlessly many stages save? The bound shows whether one more stage is worthwhile.
#pragma once

#include "scaling/chinchilla.h"
#include "scaling/kaplan.h"

namespace stagedtrain::scaling {

// The limit of many stages under loss-state, if growth costs nothing and a token costs in
// proportion to the parameters as the law counts them: the cheapest size trains at every loss,
// until it is the final one.
struct Limit {
  double share = 0;   // constant while growing: A N^-a / (L - E), for Kaplan (L - floor) / L
  double loss = 0;    // the loss at which the final size is reached
  double tokens_saved = 0;  // tokens saved, in tokens of the final size
};

// `parameters` are those of the final size.
Limit endless_stages(const Chinchilla& law, double parameters);
Limit endless_stages(const Kaplan& law, double parameters);

}  // namespace stagedtrain::scaling
