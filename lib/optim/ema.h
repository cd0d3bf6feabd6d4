// Keeps an exponential moving average of the weights (Polyak and Juditsky, 1992, with exponential
// weights), and lets a model compute with it.
#pragma once

#include "model/model.h"

namespace stagedtrain::train {

// Sets average = average + (1 - decay) (weights - average), number by number in the master type, so
// that the bits do not depend on the number of threads or ranks. With shards (model/shards.h), it
// does so where this rank owns them. Requires params.keep_ema().
void ema_step(model::ParamBuffer& params, double decay);

// While it lives, the weights of the model are those of the average, and the average holds the
// weights. Both have their own bits again afterwards. Requires params.keep_ema(); the model must
// outlive it. With shards, both ends of its life are collective.
class AveragedWeights {
 public:
  explicit AveragedWeights(model::Model& model) : model_(model) { exchange(); }
  ~AveragedWeights() { exchange(); }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  void exchange();
  model::Model& model_;
};

}  // namespace stagedtrain::train
