// Which options the selection of training data has (docs/policies.md, data.select).
#pragma once

#include "text/fields.h"
#include "text/units.h"

namespace stagedtrain::schedule {

struct SelectSpec {
  double share = 0.25, depth = 0.75;
  Duration after{0, DurationUnit::steps}, every{25000, DurationUnit::steps},
      refresh{0, DurationUnit::steps};
  std::int64_t partition = 256;
  template <class V>
  void fields(V& v) {
    v("share", share,
      {.doc = "share of the windows of an epoch that a subset has; 1 selects nothing: the run is "
              "the same as without data.select",
       .min = 0,
       .max = 1,
       .above_min = true});
    v("after", after,
      {.doc = "steps on all windows before the first selection, which takes a model that has "
              "learned something",
       .shape = "steps"});
    v("every", every,
      {.doc = "steps between subsets, each drawn anew with the same probabilities",
       .shape = "steps"});
    v("refresh", refresh,
      {.doc = "steps after which the features and probabilities of all windows are computed anew; "
              "0: once for each context",
       .shape = "steps"});
    v("depth", depth,
      {.doc = "share of the layers, rounded up, behind which the features are taken",
       .min = 0,
       .max = 1,
       .above_min = true});
    v("partition", partition,
      {.doc = "windows in each random partition, in which windows are compared with one another",
       .min = 2,
       .max = 1 << 14});
  }
};

}  // namespace stagedtrain::schedule
