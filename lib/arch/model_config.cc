// The rules that sizes obey.
#include "arch/model_config.h"

#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::arch {
namespace {

void require(std::int64_t value, const char* key) {
  if (value <= 0) throw usage_error("model.{} is {}, expected at least 1", key, value);
}

// The ranges of the fields list, for sizes that no document was read for: those of grown models.
struct RangeCheck {
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    if constexpr (std::same_as<T, std::int64_t>) {
      const auto size = static_cast<double>(value);
      if (size < info.min || size > info.max)
        throw usage_error("model.{} is {}, expected {} to {}", key, value, format_number(info.min),
                          format_number(info.max));
    }
  }
};

// Counts of a model must fit their types; no real one comes near.
void check_size(const ModelConfig& c) {
  constexpr double kMost = 1e15;
  const double head_dim = static_cast<double>(c.head_dim);
  const double attention = 2.0 * static_cast<double>(c.heads + c.kv_heads) * head_dim;
  const double per_layer = attention + 2.0 * static_cast<double>(c.ffn);
  const double params = static_cast<double>(c.width) *
                        (static_cast<double>(c.layers) * per_layer +
                         2.0 * static_cast<double>(c.vocab) + static_cast<double>(c.context));
  if (params > kMost)
    throw usage_error("model: about {} parameters, expected at most {:.0e}", short_count(params),
                      kMost);
}

}  // namespace

ModelConfig resolved(ModelConfig config) {
  require(config.layers, "layers");
  require(config.width, "width");
  require(config.heads, "heads");
  require(config.vocab, "vocab");
  require(config.context, "context");
  RangeCheck ranges;
  config.fields(ranges);
  if (config.head_dim == 0) {
    if (config.width % config.heads != 0)
      throw usage_error("model.heads {} does not divide model.width {}", config.heads, config.width)
          .with_hint("choose heads that divide width, or give head_dim");
    config.head_dim = config.width / config.heads;
  }
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  if (config.ffn == 0) config.ffn = 4 * config.width;
  check_size(config);
  find_architecture(config.architecture).check(config);
  return config;
}

std::string describe(const ModelConfig& c) {
  return fmt::format("{}, {} layer{} x {}, {} head{} of {}, ffn {}, context {}, vocab {}{}",
                     c.architecture, c.layers, c.layers == 1 ? "" : "s", c.width, c.heads,
                     c.heads == 1 ? "" : "s", c.head_dim, c.ffn, c.context, c.vocab,
                     c.tied ? "" : ", untied head");
}

}  // namespace stagedtrain::arch
