// Declares the keys of a schedule for checkpoints: when they are saved, and which are kept.
#pragma once

#include <cstdint>

#include "text/fields.h"

namespace stagedtrain::schedule {

// A checkpoint is kept if any of the three rules keeps it.
struct KeepSpec {
  // keep: 3 means keep: {last: 3}.
  static constexpr const char* kShorthand = "last";
  std::int64_t last = 2, best = 0;
  Duration every{0, DurationUnit::steps};
  template <class V>
  void fields(V& v) {
    v("last", last, {.doc = "how many of the newest checkpoints are kept", .min = 1});
    v("every", every,
      {.doc = "checkpoints at multiples of this whole number of steps are saved, even if "
              "checkpoint.every does not ask for them, and are always kept; 0: none",
       .shape = "steps"});
    v("best", best,
      {.doc = "how many checkpoints with the lowest validation losses are kept, of the stage that "
              "is being trained; above 0, the validation loss is also measured whenever a "
              "checkpoint is saved",
       .min = 0});
  }
};

struct CheckpointSpec {
  Duration every{500, DurationUnit::steps};
  KeepSpec keep;
  template <class V>
  void fields(V& v) {
    v("every", every,
      {.doc = "how often the whole state is saved: steps, tokens or training time (30m, 2h); 0: at "
              "the end of stages only",
       .shape = "steps, tokens or time"});
    v("keep", keep,
      {.doc = "which checkpoints are kept: the newest (keep: 2), or keep: {last: 2, every: 1000 "
              "steps, best: 1}; the ends of stages are always kept",
       .shape = "count or map"});
  }
};

}  // namespace stagedtrain::schedule
