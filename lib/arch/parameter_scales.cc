// Computes the factors of muP and CompleteP for one tensor.
#include "arch/parameter_scales.h"

#include <cmath>

#include "arch/architectures.h"
#include "arch/loops.h"
#include "base/error.h"

namespace stagedtrain::arch {
namespace {

// Returns how many times larger an axis is than in the base model. Keys and values count as the
// queries that read them do. Axes that do not grow with the width have 1. The base model has heads
// x head_dim = base_width, and the architecture's default feed-forward.
double widening(const ModelConfig& c, Axis axis) {
  const std::int64_t base = c.parameterization.base_width;
  const auto ratio = [](std::int64_t size, std::int64_t of) {
    return static_cast<double>(size) / static_cast<double>(of);
  };
  switch (axis) {
    case Axis::residual:
      return ratio(c.width, base);
    case Axis::query:
    case Axis::key:
      return ratio(c.heads * c.head_dim, base);
    case Axis::value:
    case Axis::heads:
      return ratio(c.heads * c.value_dim, base);
    case Axis::ffn:
      return ratio(c.ffn, find_architecture(c.architecture).default_ffn(base));
    case Axis::vocab:
    case Axis::position:
    case Axis::experts:
    case Axis::entry:
      return 1;
  }
  ST_CHECK(false, "axis without a width");
}

bool is_hidden(const ParamSpec& spec) {
  return spec.axes[0].axis != Axis::vocab && spec.axes[0].axis != Axis::experts;
}

void scale_width(const ModelConfig& c, ParamSpec& spec) {
  const double first = widening(c, spec.axes[0].axis);
  if (spec.role == Role::embed) {
    spec.scales.eps = 1 / widening(c, spec.axes[1].axis);
  } else if (spec.axes.size() == 2) {
    const double in = widening(c, spec.axes[1].axis);
    spec.init.value /= is_hidden(spec) ? std::sqrt(in) : in;
    spec.scales = {1 / in, in, 1 / first};
  } else if (spec.role == Role::final_norm && c.tied) {
    spec.init.value /= first;
    spec.scales = {1 / first, first, 1};
  } else {
    spec.scales.eps = 1 / first;
  }
}

void scale_depth(const Parameterization& p, ParamSpec& spec) {
  if (spec.layer < 0) return;
  const double m = p.branch_scale();
  if (spec.role == Role::residual_out || spec.role == Role::branch_norm) {
    spec.init.value *= m;
    spec.scales.lr *= m;
    spec.scales.decay /= m;
  } else {
    spec.scales.eps *= m;
  }
}

}  // namespace

void parameterize(const ModelConfig& config, ParamSpec& spec) {
  if (!config.parameterization.scales_width()) return;
  scale_width(config, spec);
  if (config.parameterization.scales_depth()) scale_depth(config.parameterization, spec);
}

std::int64_t initial_layers(const ModelConfig& config) {
  const Parameterization& p = config.parameterization;
  return p.scales_depth() ? p.base_layers : executed_layers(config);
}

}  // namespace stagedtrain::arch
