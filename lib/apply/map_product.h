// How is a tensor computed from the maps of a learned growth?
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "grow/recipe.h"

namespace stagedtrain::grow {

// Returns the values of a source tensor by its index in the smaller model's table. They stay valid
// until the next call.
template <class T>
using SourceValues = std::function<std::span<const T>(std::size_t tensor)>;

// A product with what its sizes follow from. All must outlive it.
struct SizedProduct {
  const MapProduct& product;
  const std::vector<DenseMap>& maps;
  const arch::ParamTable& sources;
  std::int64_t target_columns;
};

// Adds the product to the target tensor, at its place. T is float or double. Every sum has a fixed
// order, so the bits do not depend on the number of threads.
template <class T>
void add_product(const SizedProduct& made, const SourceValues<T>& source, std::span<T> out);

}  // namespace stagedtrain::grow
