// Reads the weights and sizes of products off their maps.
#include "grow/dense_map.h"

namespace stagedtrain::grow {

double weight_of(const MapProduct& product, const std::vector<DenseMap>& maps, std::size_t j) {
  if (!product.layers) return 1;
  const auto entry = [&](const MapRow& at, std::size_t column) {
    const DenseMap& map = maps[at.map];
    return map.entries[static_cast<std::size_t>(at.row * map.columns) + column];
  };
  const auto layers = static_cast<std::size_t>(maps[product.layers->map].columns);
  const double layer = entry(*product.layers, j % layers);
  return product.kinds ? layer * entry(*product.kinds, j / layers) : layer;
}

std::array<std::int64_t, 2> size_of(const MapProduct& product, const std::vector<DenseMap>& maps,
                                    const std::array<std::int64_t, 2>& from) {
  const auto mapped = [&](const std::optional<MapUse>& use, std::int64_t size) {
    return use ? maps[use->map].rows * use->unit : size;
  };
  return {mapped(product.rows, from[0]), mapped(product.columns, from[1])};
}

}  // namespace stagedtrain::grow
