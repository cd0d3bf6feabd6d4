// Counts by formula are those of the whole table of tensors, and take no time for huge models.
#include "arch/distinct_tensors.h"

#include <map>

#include "arch/architectures.h"
#include "arch/cost.h"
#include "support/catch.h"

using namespace stagedtrain;
using namespace stagedtrain::arch;

namespace {

ModelConfig sized(const std::string& architecture, std::int64_t layers, std::int64_t experts,
                  bool tied) {
  ModelConfig config;
  config.architecture = architecture;
  config.layers = layers;
  config.width = 24;
  config.heads = 4;
  if (architecture == "llama") config.kv_heads = 2;
  config.vocab = 31;
  config.context = 16;
  config.tied = tied;
  config.experts = experts;
  config.experts_per_token = experts > 0 ? std::min<std::int64_t>(experts, 2) : 2;
  return resolved(config);
}

// Tensors by their shape and role, counted in the whole table.
std::map<std::pair<std::vector<std::int64_t>, Role>, std::int64_t> shapes_of(const ModelConfig& c) {
  std::map<std::pair<std::vector<std::int64_t>, Role>, std::int64_t> counts;
  for (const ParamSpec& spec : param_table(c)) ++counts[{spec.shape(), spec.role}];
  return counts;
}

}  // namespace

TEST_CASE("distinct tensors times their copies are the whole table") {
  for (const Architecture& architecture : architectures())
    for (const std::int64_t layers : {1, 2, 7})
      for (const std::int64_t experts : {0, 1, 2, 5})
        for (const bool tied : {true, false}) {
          const ModelConfig config = sized(architecture.name, layers, experts, tied);
          INFO(describe(config));
          std::map<std::pair<std::vector<std::int64_t>, Role>, std::int64_t> counts;
          std::int64_t active = 0;
          for (const DistinctTensor& tensor : distinct_tensors(config)) {
            counts[{tensor.spec.shape(), tensor.spec.role}] += tensor.copies;
            active += tensor.active * tensor.spec.count();
          }
          CHECK(counts == shapes_of(config));
          CHECK(count_params(config).total == param_table(config).total_count());
          std::int64_t active_in_table = 0;
          for (const ParamSpec& spec : param_table(config))
            if (spec.expert < config.experts_per_token) active_in_table += spec.count();
          CHECK(active == active_in_table);
          CHECK(count_params(config).active == active_in_table);
        }
}

TEST_CASE("a model of 4 million experts is counted at once") {
  ModelConfig config = sized("gpt2", 64, 2, true);
  config.experts = 65536;
  config = resolved(config);
  const std::int64_t expert = 2 * config.width * config.ffn + config.ffn + config.width;
  const ParamCount count = count_params(config);
  CHECK(count.total > 64 * 65536 * expert);
  CHECK(count.total - count.active == 64 * (65536 - 2) * expert);
}
