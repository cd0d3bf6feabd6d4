// Expands the tables of names over layers and experts.
#include "foreign/tensor_names.h"

#include <map>
#include <utility>

#include "arch/architectures.h"
#include "base/error.h"

namespace stagedtrain::hub {
namespace {

std::string filled(std::string text, std::string_view mark, int number) {
  const std::size_t place = text.find(mark);
  return place == std::string::npos ? text
                                    : text.replace(place, mark.size(), std::to_string(number));
}

const NameRule& rule_for(const NameTable& names, const arch::ParamSpec& spec) {
  for (const NameRule& rule : names.rules)
    if (filled(rule.own, "{e}", spec.expert) == spec.key) return rule;
  throw usage_error("{} has no place for the tensor {}", names.format, spec.name);
}

// Returns the shape of a stack of `parts` tensors.
std::vector<std::int64_t> stacked_shape(const arch::ParamSpec& spec, const NameRule& rule,
                                        std::int64_t parts) {
  std::vector<std::int64_t> shape = spec.shape();
  const bool new_axis = std::string_view(rule.own).find("{e}") != std::string_view::npos &&
                        std::string_view(rule.foreign).find("{e}") == std::string_view::npos;
  if (new_axis) {
    shape.insert(shape.begin(), parts);
  } else {
    shape[0] *= parts;
  }
  if (rule.layout == Layout::transposed) std::swap(shape[0], shape[1]);
  return shape;
}

}  // namespace

std::vector<MappedTensor> map_tensors(const NameTable& names, const arch::ModelConfig& model) {
  const arch::ParamTable table = arch::param_table(model);
  std::vector<MappedTensor> mapped;
  std::map<std::string, std::size_t> by_name;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const arch::ParamSpec& spec = table[i];
    const NameRule& rule = rule_for(names, spec);
    const std::string name = filled(filled(rule.foreign, "{l}", spec.layer), "{e}", spec.expert);
    const auto [found, is_new] = by_name.emplace(name, mapped.size());
    if (is_new) mapped.push_back({name, {}, {}, rule.layout, rule.keeps_f32});
    MappedTensor& tensor = mapped[found->second];
    tensor.own.push_back(i);
    tensor.shape = stacked_shape(spec, rule, static_cast<std::int64_t>(tensor.own.size()));
  }
  return mapped;
}

}  // namespace stagedtrain::hub
