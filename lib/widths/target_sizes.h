// Which sizes should a growth reach? Sizes that are not given stay as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "arch/architectures.h"
#include "text/fields.h"

namespace stagedtrain::grow {

struct TargetSizes {
  std::optional<std::int64_t> layers, width, heads, kv_heads, head_dim, value_dim, ffn;

  template <class V>
  void fields(V& v) {
    const double most = 1 << 24;
    v("layers", layers, {.doc = "number of layers after the growth", .min = 1, .max = 65536});
    v("width", width,
      {.doc = "size of the residual stream after the growth", .min = 1, .max = most});
    v("heads", heads, {.doc = "query heads after the growth", .min = 1, .max = most});
    v("kv_heads", kv_heads,
      {.doc =
           "key and value heads after the growth; not given: as many queries share one as before",
       .min = 1,
       .max = most});
    v("head_dim", head_dim,
      {.doc = "size of queries and keys after the growth", .min = 1, .max = most});
    v("value_dim", value_dim,
      {.doc = "size of values after the growth; not given: that of head_dim, if they were equal "
              "before",
       .min = 1,
       .max = most});
    v("ffn", ffn,
      {.doc = "hidden units of the feed-forward after the growth", .min = 1, .max = most});
  }
  // The sizes that growths by copies ask for, besides layers.
  template <class V>
  void copied_fields(V& v) {
    const double most = 1 << 24;
    v("width", width, {.doc = "size of the residual stream after the growth", .max = most});
    v("heads", heads, {.doc = "query heads after the growth", .max = most});
    v("ffn", ffn, {.doc = "hidden units of the feed-forward after the growth", .max = most});
  }
  // Returns the larger model, with kv_heads and value_dim derived if they are not given. `name` is
  // the operator's, for messages. Throws Error(usage) if no size is given, if one is smaller than
  // that of `from`, or if the sizes do not fit together.
  arch::ModelConfig grown(const arch::ModelConfig& from, const std::string& name) const;
};

}  // namespace stagedtrain::grow
