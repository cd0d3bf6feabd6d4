// TargetSizes are the sizes that a growth must reach. Those that are not given stay as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "arch/architectures.h"
#include "base/fields.h"

namespace stagedtrain::grow {

struct TargetSizes {
  std::optional<std::int64_t> layers, width, heads, kv_heads, head_dim, value_dim, ffn;

  template <class V>
  void fields(V& v) {
    const double most = 1 << 24;
    v("layers", layers, {.doc = "number of layers after the growth", .min = 1, .max = 65536});
    v("width", width, {.doc = "size of the residual stream after it", .min = 1, .max = most});
    v("heads", heads, {.doc = "query heads after it", .min = 1, .max = most});
    v("kv_heads", kv_heads,
      {.doc = "key and value heads after it; not given: as many queries share one as before",
       .min = 1,
       .max = most});
    v("head_dim", head_dim, {.doc = "size of queries and keys after it", .min = 1, .max = most});
    v("value_dim", value_dim,
      {.doc = "size of values after it; not given: as head_dim, if it was so before",
       .min = 1,
       .max = most});
    v("ffn", ffn, {.doc = "hidden units of the feed-forward after it", .min = 1, .max = most});
  }
  // Returns the larger model. `name` is the operator's, for errors. Throws Error(usage) if no size
  // is given, or one is smaller than the source's.
  arch::ModelConfig grown(const arch::ModelConfig& from, const std::string& name) const;
};

}  // namespace stagedtrain::grow
