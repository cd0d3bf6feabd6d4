// Declares the keys of a schedule for the text that a run samples from its model while it trains.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/fields.h"

namespace stagedtrain::schedule {

struct SampleSpec {
  Duration every{500, DurationUnit::steps};
  std::vector<std::string> prompts;
  std::int64_t tokens = 64, top_k = 0;
  double temperature = 0.8;
  template <class V>
  void fields(V& v) {
    v("every", every,
      {.doc = "how often text is sampled: steps or tokens; 0: at the end of stages only",
       .shape = "steps or tokens"});
    v("prompts", prompts, {.doc = "texts that the samples continue", .required = true});
    v("tokens", tokens,
      {.doc = "tokens of each sample, after the prompt", .min = 1, .max = 1 << 24});
    v("temperature", temperature,
      {.doc = "sampling temperature; 0: always the likeliest token", .min = 0, .max = 100});
    v("top_k", top_k,
      {.doc = "sample among this many likeliest tokens; 0: among all", .min = 0, .max = 1 << 30});
  }
};

}  // namespace stagedtrain::schedule
