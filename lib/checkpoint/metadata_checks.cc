// Which values of a checkpoint's metadata have the right type and yet cannot be?
#include "checkpoint/metadata_checks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "arch/adapters.h"
#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::state {
namespace {

void check_adapter(const arch::AdapterSet& set, const arch::ParamTable& table, std::size_t i) {
  const std::string& name = set.matrices[i];
  const auto refused = [&](const std::string& expected) {
    return input_error("adapters.matrices.{}: found {}, expected {}", i, name, expected);
  };
  const std::int64_t index = table.index(name);
  if (index < 0) throw refused("a tensor of the model");
  const arch::ParamSpec& spec = table[static_cast<std::size_t>(index)];
  if (spec.layer < 0 || spec.axes.size() != 2) throw refused("a matrix of a layer");
  if (set.rank < 1 || set.rank > std::min(spec.axes[0].size, spec.axes[1].size))
    throw input_error("adapters.rank: found {}, expected 1 to {}, the shorter side of {}", set.rank,
                      std::min(spec.axes[0].size, spec.axes[1].size), name);
}

}  // namespace

void check_model(const arch::ModelConfig& model, const std::string& path) {
  arch::ModelConfig complete;
  try {
    complete = arch::resolved(model);
  } catch (const Error& error) {
    throw input_error("{}: {}", path, error.what());
  }
  if (!(complete == model))
    throw input_error("{}: found sizes of 0, expected every size written out", path);
}

void check_age(const TensorHistory& history, std::int64_t step, const std::string& path) {
  if (history.age.start > step)
    throw input_error("{}.age.start: found {}, expected at most the state's step, {}", path,
                      history.age.start, step);
}

void check_selection(const WindowSelection& selection, std::int64_t index) {
  if (selection.gains.empty() || selection.gains.size() % 4 != 0)
    throw input_error("data.selection.gains: found {} bytes, expected 4 for each window",
                      selection.gains.size());
  for (std::size_t i = 0; i < selection.gains.size(); i += 4) {
    float gain = 0;
    std::memcpy(&gain, selection.gains.data() + i, 4);
    if (!(gain >= 0 && std::isfinite(gain)))
      throw input_error(
          "data.selection.gains: found {} for window {}, expected a finite number of at "
          "least 0",
          gain, i / 4);
  }
  if (selection.first_index > index)
    throw input_error("data.selection.first_index: found {}, expected at most data.index, {}",
                      selection.first_index, index);
}

void check_adapters(const StateHeader& header, const arch::ParamTable& table) {
  const arch::AdapterSet& set = header.adapters;
  if (set.matrices.size() > table.size())
    throw input_error("adapters.matrices: found {} names for {} tensors", set.matrices.size(),
                      table.size());
  for (std::size_t i = 0; i < set.matrices.size(); ++i) check_adapter(set, table, i);
  std::vector<std::string> sorted = set.matrices;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    throw input_error("adapters.matrices: found {} twice, expected each matrix once", *twice);
  if (set.none() && set.rank > 0)
    throw input_error("adapters.matrices: found no matrix, expected at least one");
  if (set.start > header.progress.step)
    throw input_error("adapters.start: found {}, expected at most the state's step, {}", set.start,
                      header.progress.step);
}

}  // namespace stagedtrain::state
