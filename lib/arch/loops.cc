// Lists what looped cores execute, and checks their sizes.
#include "arch/loops.h"

#include "base/error.h"
#include "text/counted.h"
#include "text/text.h"

namespace stagedtrain::arch {
namespace {

// As many as a model without a core may have.
constexpr std::int64_t kMostExecuted = 65536;

void refuse_parts_without_core(const ModelConfig& c) {
  const ModelConfig plain;
  if (c.prelude == 0 && c.coda == 0 && c.passes == 1 && c.tied_cores == plain.tied_cores &&
      c.boundary == plain.boundary && c.boundary_alpha == plain.boundary_alpha)
    return;
  throw usage_error(
      "model: found prelude {}, coda {}, passes {}, tied_cores {}, boundary {} and boundary_alpha "
      "{} without a core, expected model.core above 0 or the defaults of these keys",
      c.prelude, c.coda, c.passes, c.tied_cores, c.boundary, format_number(c.boundary_alpha));
}

}  // namespace

StepWork whole_work(const ModelConfig& config) {
  if (!has_tied_cores(config)) return {};
  StepWork work{.layers = std::vector<LayerWork>{}};
  const auto add = [&](std::int64_t first, std::int64_t count, std::int64_t use) {
    for (std::int64_t i = 0; i < count; ++i)
      work.layers->push_back({.layer = first + i, .use = use});
  };
  add(0, config.prelude, 0);
  for (std::int64_t pass = 0; pass < config.passes; ++pass) add(config.prelude, config.core, pass);
  add(config.prelude + config.core, config.coda, 0);
  return work;
}

Boundaries boundaries_of(const ModelConfig& config) {
  if (!is_looped(config) || !config.boundary) return {};
  return {config.prelude, config.core, config.passes + 1, config.boundary_alpha};
}

void check_loops(const ModelConfig& c) {
  if (!is_looped(c)) return refuse_parts_without_core(c);
  const std::int64_t cores = c.tied_cores ? 1 : c.passes;
  const std::int64_t sum = c.prelude + cores * c.core + c.coda;
  if (c.layers != sum)
    throw usage_error(
        "model.layers is {}, expected {}: a prelude of {}, {} of {}, and a coda of {}", c.layers,
        sum, c.prelude, c.tied_cores ? "a core" : counted(c.passes, "untied core"), c.core, c.coda)
        .with_hint(
            "the operators untie and passes change the cores of a looped model; others keep its "
            "layers");
  if (executed_layers(c) > kMostExecuted)
    throw usage_error("model.passes is {}: found {} executed layers, expected at most {}", c.passes,
                      executed_layers(c), kMostExecuted);
}

std::string loops_text(const ModelConfig& c) {
  if (!is_looped(c)) return "";
  std::string text = fmt::format(", {} + {} x {}{} + {}", c.prelude, c.passes, c.core,
                                 c.tied_cores ? " tied" : " untied", c.coda);
  if (!c.boundary) return text + " without boundaries";
  return text + ", boundary alpha " + format_number(c.boundary_alpha);
}

}  // namespace stagedtrain::arch
