// Looks up and counts the tensors of a parameter table.
#include "arch/param_table.h"

#include <algorithm>

#include "base/error.h"

namespace stagedtrain::arch {

std::int64_t ParamSpec::count() const {
  std::int64_t count = 1;
  for (const AxisSize& axis : axes) count *= axis.size;
  return count;
}

std::vector<std::int64_t> ParamSpec::shape() const {
  std::vector<std::int64_t> shape;
  for (const AxisSize& axis : axes) shape.push_back(axis.size);
  return shape;
}

ParamTable::ParamTable(std::vector<ParamSpec> specs) : specs_(std::move(specs)) {
  for (std::size_t i = 0; i < specs_.size(); ++i)
    by_name_.emplace_back(specs_[i].name, static_cast<std::int64_t>(i));
  std::sort(by_name_.begin(), by_name_.end());
  for (std::size_t i = 1; i < by_name_.size(); ++i)
    ST_CHECK(by_name_[i - 1].first != by_name_[i].first, "tensor {} twice in a table",
             by_name_[i].first);
}

std::int64_t ParamTable::index(const std::string& name) const {
  const auto at =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [](const auto& entry, const std::string& n) { return entry.first < n; });
  return at != by_name_.end() && at->first == name ? at->second : -1;
}

std::int64_t ParamTable::total_count() const {
  std::int64_t total = 0;
  for (const ParamSpec& spec : specs_) total += spec.count();
  return total;
}

const char* role_name(Role role) {
  constexpr const char* kNames[] = {"embed", "head",       "matrix",      "bias",
                                    "norm",  "final_norm", "residual_out", "branch_norm", "head_norm"};
  return kNames[static_cast<int>(role)];
}

std::string layer_name(int layer, const std::string& key) {
  return "layers." + std::to_string(layer) + "." + key;
}

}  // namespace stagedtrain::arch
