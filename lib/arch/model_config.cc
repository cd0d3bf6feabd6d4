// The rules that sizes obey.
#include "arch/model_config.h"

#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::arch {
namespace {

// Sizes that a growth multiplied are held to the same bounds as those that were written.
struct UpperBounds {
  template <class T>
  void operator()(const char* key, T& value, const FieldInfo& info) {
    if constexpr (std::same_as<T, std::int64_t>)
      if (static_cast<double>(value) > info.max)
        throw usage_error("model.{} is {}, expected at most {}", key, value,
                          format_number(info.max));
  }
};

void require(std::int64_t value, const char* key) {
  if (value <= 0) throw usage_error("model.{} is {}, expected at least 1", key, value);
}

}  // namespace

ModelConfig resolved(ModelConfig config) {
  require(config.layers, "layers");
  require(config.width, "width");
  require(config.heads, "heads");
  require(config.vocab, "vocab");
  require(config.context, "context");
  if (config.head_dim == 0) {
    if (config.width % config.heads != 0)
      throw usage_error("model.heads {} does not divide model.width {}", config.heads, config.width)
          .with_hint("choose heads that divide width, or give head_dim");
    config.head_dim = config.width / config.heads;
  }
  if (config.kv_heads == 0) config.kv_heads = config.heads;
  if (config.ffn == 0) config.ffn = 4 * config.width;
  UpperBounds bounds;
  config.fields(bounds);
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
