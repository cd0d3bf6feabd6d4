// Completes the sizes of a larger model that the user did not give.
#include "widths/target_sizes.h"

#include "base/error.h"

namespace stagedtrain::grow {
namespace {

// Sets `size` to the size that was asked for, if there is one. Throws Error(usage) if it is
// smaller.
void take(std::int64_t& size, const std::optional<std::int64_t>& asked, const char* name) {
  if (!asked) return;
  if (*asked < size)
    throw usage_error("{}: found {}, but the source has {}; expected at least as many", name,
                      *asked, size)
        .with_hint(fmt::format("give --{} {} or more; --operator coalesce makes a model smaller",
                               name, size));
  size = *asked;
}

}  // namespace

arch::ModelConfig TargetSizes::grown(const arch::ModelConfig& from, const std::string& name) const {
  if (!layers && !width && !heads && !kv_heads && !head_dim && !value_dim && !ffn)
    throw usage_error("{} needs a size to reach, such as --width N, --heads N or --ffn N", name)
        .with_hint(fmt::format("stagedtrain grow --list --operator {} names all of them; in a "
                               "schedule: {{operator: {}, ffn: {}}}",
                               name, name, 2 * from.ffn));
  arch::ModelConfig to = from;
  take(to.layers, layers, "layers");
  take(to.width, width, "width");
  take(to.heads, heads, "heads");
  take(to.head_dim, head_dim, "head_dim");
  if (from.value_dim == from.head_dim) to.value_dim = to.head_dim;
  if (value_dim) to.value_dim = from.value_dim;
  take(to.value_dim, value_dim, "value_dim");
  take(to.ffn, ffn, "ffn");
  if (kv_heads) {
    take(to.kv_heads, kv_heads, "kv_heads");
  } else {
    const std::int64_t group = from.heads / from.kv_heads;
    if (to.heads % group != 0)
      throw usage_error("heads: found {}, expected a multiple of {}, the query heads per key head",
                        to.heads, group)
          .with_hint("or give kv_heads too");
    to.kv_heads = to.heads / group;
  }
  return arch::resolved(to);
}

}  // namespace stagedtrain::grow
