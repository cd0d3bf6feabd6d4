// Measures all layers of the larger model, and decomposes one window after the other.
#include "adapters/transplant.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "adapters/sensitivity.h"
#include "arch/architectures.h"
#include "base/error.h"
#include "base/signals.h"

namespace stagedtrain::train {
namespace {

grow::MatrixView view_of(const at::Tensor& matrix) {
  return {{matrix.const_data_ptr<double>(), static_cast<std::size_t>(matrix.numel())},
          matrix.size(0),
          matrix.size(1)};
}

class Larger {
 public:
  Larger(model::Model& larger, const std::set<std::string>& keys)
      : params_(larger.params()), sums_(larger, tensors_of(params_.table(), keys)) {}

  void measure(std::int64_t samples, const std::function<at::Tensor()>& next) {
    for (std::int64_t i = 0; i < samples; ++i) {
      stop_point("measuring the larger model");
      sums_.add(next());
    }
  }

  // Adds in a fixed order, whatever the number of threads.
  std::vector<double> layer_sums(const std::set<std::string>& keys, std::int64_t layers) const {
    std::vector<double> sums(static_cast<std::size_t>(layers));
    for (const std::size_t i : tensors_of(params_.table(), keys)) {
      const at::Tensor matrix = sums_.of(i);
      const std::span<const double> values = view_of(matrix).values;
      double& sum = sums[static_cast<std::size_t>(params_.table()[i].layer)];
      sum = std::accumulate(values.begin(), values.end(), sum);
    }
    for (std::size_t layer = 0; layer < sums.size(); ++layer)
      if (!std::isfinite(sums[layer]))
        throw input_error(
            "adapters.from: layer {} of the larger model has a gradient that is not finite", layer)
            .with_hint("use another checkpoint");
    return sums;
  }

  grow::LowRankFactors take(const std::string& name, std::int64_t rows, std::int64_t columns,
                            const arch::AdapterSet& set) const {
    const auto index = static_cast<std::size_t>(params_.table().index(name));
    const auto [row, column] = grow::largest_window(view_of(sums_.of(index)), rows, columns);
    const at::Tensor window = params_.view(params_.weights(), index)
                                  .narrow(0, row, rows)
                                  .narrow(1, column, columns)
                                  .to(at::kCPU, at::kDouble)
                                  .contiguous();
    return grow::nearest_factors(view_of(window), set.rank, set.scale());
  }

 private:
  static std::vector<std::size_t> tensors_of(const arch::ParamTable& table,
                                             const std::set<std::string>& keys) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < table.size(); ++i)
      if (table[i].layer >= 0 && keys.contains(table[i].key)) found.push_back(i);
    return found;
  }

  model::ParamBuffer& params_;
  Sensitivity sums_;
};

}  // namespace

Transplant transplant(model::Model& larger, const arch::ModelConfig& model,
                      const arch::AdapterSet& set, std::int64_t samples,
                      const std::function<at::Tensor()>& next) {
  const arch::ParamTable table = arch::param_table(model);
  const auto spec_of = [&](const std::string& name) -> const arch::ParamSpec& {
    return table[static_cast<std::size_t>(table.index(name))];
  };
  std::set<std::string> keys;
  for (const std::string& name : set.matrices) keys.insert(spec_of(name).key);
  Larger from(larger, keys);
  from.measure(samples, next);
  Transplant made{grow::largest(from.layer_sums(keys, larger.config().layers),
                                static_cast<std::size_t>(model.layers)),
                  {}};
  for (const std::string& name : set.matrices) {
    stop_point("decomposing windows of the larger model");
    const arch::ParamSpec& spec = spec_of(name);
    const std::size_t layer = made.layers[static_cast<std::size_t>(spec.layer)];
    made.factors.push_back(from.take(arch::layer_name(static_cast<int>(layer), spec.key),
                                     spec.axes[0].size, spec.axes[1].size, set));
  }
  return made;
}

}  // namespace stagedtrain::train
