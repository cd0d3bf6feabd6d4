// Reads the matrices of all layers and predicts those of new ones.
#include "apply/predictions.h"

#include <cfloat>
#include <vector>

#include "learned/layer_prediction.h"

namespace stagedtrain::grow {
namespace {

using state::DType;
using state::HostTensor;

template <class T>
std::vector<double> entries_of(std::span<const std::byte> bytes) {
  const auto* values = reinterpret_cast<const T*>(bytes.data());
  return {values, values + bytes.size() / sizeof(T)};
}

HostTensor tensor_of(const std::vector<double>& entries, const arch::ParamSpec& target,
                     DType dtype) {
  HostTensor tensor(dtype, target.shape());
  for (std::size_t i = 0; i < entries.size(); ++i)
    tensor.set(static_cast<std::int64_t>(i), entries[i]);
  return tensor;
}

}  // namespace

HostTensor Predictions::take(const GrowthStep& step, std::size_t index,
                             const arch::ParamSpec& target, state::TensorKind kind, DType dtype,
                             const SourceView& source) {
  if (!made_.contains({kind, index})) predict(step, index, target, kind, dtype, source);
  return std::move(made_.extract({kind, index}).mapped());
}

void Predictions::predict(const GrowthStep& step, std::size_t index, const arch::ParamSpec& target,
                          state::TensorKind kind, DType dtype, const SourceView& source) {
  const LayerPrediction& asked = *step.tensors[index].prediction;
  LayerMatrices matrices{target.axes[0].size, target.axes[1].size, {}};
  for (const std::size_t tensor : asked.sources) {
    const std::span<const std::byte> bytes = source(0, kind, tensor);
    matrices.layers.push_back(dtype == DType::f32 ? entries_of<float>(bytes)
                                                  : entries_of<double>(bytes));
  }
  std::vector<std::size_t> places;  // in the table of the larger model
  std::vector<std::int64_t> below;
  for (std::size_t i = 0; i < step.tensors.size(); ++i)
    if (const auto& other = step.tensors[i].prediction; other && other->sources == asked.sources) {
      places.push_back(i);
      below.push_back(other->below);
    }
  const auto predicted = predicted_layers(
      matrices, below, dtype == DType::f32 ? FLT_EPSILON : DBL_EPSILON, asked.seed);
  for (std::size_t i = 0; i < places.size(); ++i)
    made_[{kind, places[i]}] = tensor_of(predicted[i], target, dtype);
}

}  // namespace stagedtrain::grow
