// Finds runs of adjacent matrices of the same layer.
#include "optim/matrix_units.h"

namespace stagedtrain::train {

MatrixUnits matrix_units(const model::ParamBuffer& params) {
  MatrixUnits units;
  int layer = 0;
  for (std::size_t i = 0; i < params.table().size(); ++i) {
    const arch::ParamSpec& spec = params.table()[i];
    if (!spec.decays) continue;
    const std::int64_t begin = params.offset(i), end = begin + spec.count();
    if (units.runs.empty() || spec.layer != layer) units.runs.push_back({begin, end});
    units.runs.back().end = end;
    layer = spec.layer;
  }
  if (layer < 0) units.head = std::ssize(units.runs) - 1;
  return units;
}

Range blocks_begun_in(const Range& run, std::int64_t size, std::int64_t last) {
  const auto above = [&](std::int64_t element) {
    return std::min(last, (element + size - 1) / size);
  };
  return {above(run.begin), above(run.end)};
}

}  // namespace stagedtrain::train
