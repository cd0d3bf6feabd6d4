// Lists the tensors that adapters consist of.
#include "arch/adapters.h"

#include <cmath>

#include "base/error.h"

namespace stagedtrain::arch {
namespace {

const ParamSpec& matrix_of(const ParamTable& model, const std::string& name) {
  const std::int64_t index = model.index(name);
  ST_CHECK(index >= 0, "no tensor {}", name);
  return model[static_cast<std::size_t>(index)];
}

ParamSpec part_of(const ParamSpec& matrix, const std::string& part) {
  ParamSpec spec = matrix;
  spec.name += "." + part;
  spec.key += "." + part;
  spec.init = {};
  spec.scales = {};
  return spec;
}

ParamSpec factor_of(const ParamSpec& matrix, std::int64_t rank, const std::string& part) {
  ParamSpec spec = part_of(matrix, part);
  const bool is_a = part[0] == 'a';
  spec.axes[is_a ? 0 : 1].size = rank;
  if (is_a)
    spec.init = {Init::Kind::normal, 1 / std::sqrt(static_cast<double>(matrix.axes[1].size))};
  return spec;
}

}  // namespace

ParamTable adapter_table(const AdapterSet& set, const ParamTable& model) {
  std::vector<ParamSpec> specs;
  for (const std::string& name : set.matrices)
    for (const char* part : {"a", "b"})
      specs.push_back(factor_of(matrix_of(model, name), set.rank, part));
  return ParamTable(std::move(specs));
}

ParamTable stored_adapters(const AdapterSet& set, const ParamTable& model) {
  std::vector<ParamSpec> specs;
  for (const std::string& name : set.matrices)
    for (const std::string part : kAdapterParts)
      specs.push_back(part == "base" ? part_of(matrix_of(model, name), part)
                                     : factor_of(matrix_of(model, name), set.rank, part));
  return ParamTable(std::move(specs));
}

}  // namespace stagedtrain::arch
