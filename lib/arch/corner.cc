// Divides sizes, and counts the axes that a tensor reads and writes.
#include "arch/corner.h"

#include <array>

#include "base/error.h"

namespace stagedtrain::arch {
namespace {

// The sizes that are divided, and their names in a schedule.
struct Size {
  const char* name;
  std::int64_t ModelConfig::*value;
};
constexpr std::array kSizes{Size{"width", &ModelConfig::width}, Size{"heads", &ModelConfig::heads},
                            Size{"kv_heads", &ModelConfig::kv_heads},
                            Size{"ffn", &ModelConfig::ffn}};

bool shrinks(Axis axis) {
  switch (axis) {
    case Axis::residual:
    case Axis::query:
    case Axis::key:
    case Axis::value:
    case Axis::heads:
    case Axis::ffn:
      return true;
    case Axis::vocab:
    case Axis::position:
    case Axis::experts:
    case Axis::entry:
      break;
  }
  return false;
}

// Whether a tensor reads its axis of this index, as a matrix does its columns.
bool reads(const ParamSpec& spec, std::size_t axis, bool tied) {
  if (spec.axes.size() == 2) return axis == 1 && spec.role != Role::embed;
  return spec.role == Role::final_norm && tied;
}

}  // namespace

std::string obstacle_to_corner(const ModelConfig& config, std::int64_t factor) {
  for (const Size& size : kSizes)
    if (config.*size.value % factor != 0)
      return fmt::format("found {} {}, expected a multiple of {}, the factor", size.name,
                         config.*size.value, factor);
  return "";
}

ModelConfig corner_model(const ModelConfig& config, std::int64_t factor) {
  ModelConfig small = config;
  for (const Size& size : kSizes) small.*size.value /= factor;
  return resolved(small);
}

CornerScales corner_scales(const ParamSpec& spec, bool tied, std::int64_t factor) {
  CornerScales scales;
  for (std::size_t axis = 0; axis < spec.axes.size(); ++axis)
    if (shrinks(spec.axes[axis].axis))
      (reads(spec, axis, tied) ? scales.value : scales.gradient) *= static_cast<double>(factor);
  return scales;
}

}  // namespace stagedtrain::arch
