// What endlessly many stages could save: the bound that shows whether one more stage is worth it.
#pragma once

#include "law/chinchilla.h"
#include "law/kaplan.h"

namespace stagedtrain::law {

// Growth without steps, under loss-state, where a token costs in proportion to the parameters: at
// every loss the cheapest size trains, until it is the final one.
struct Limit {
  double share = 0;   // Chinchilla: A N^-a of L - E, Kaplan: L - floor of L, while growing
  double loss = 0;    // where the final size is reached
  double credit = 0;  // tokens of the final size that are saved
};

Limit endless_stages(const Chinchilla& law, double parameters);
Limit endless_stages(const Kaplan& law, double parameters);

}  // namespace stagedtrain::law
