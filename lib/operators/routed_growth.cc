// Refuses operators that cannot grow routed layers.
#include "operators/routed_growth.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "arch/routed_layers.h"
#include "base/error.h"

namespace stagedtrain::grow {

void check_routed_source(const std::string& name, const arch::ModelConfig& from) {
  static constexpr std::array<std::string_view, 6> kRefused{"ligo",  "mango",    "mask",
                                                            "merge", "coalesce", "decoalesce"};
  if (!arch::has_routed_layers(from) || std::ranges::find(kRefused, name) == kRefused.end()) return;
  throw usage_error("{}: found a model with routed layers, expected one without (routed_every 0)",
                    name)
      .with_hint("docs/growth.md, \"Routed layers\", says what such a model can be grown by");
}

}  // namespace stagedtrain::grow
