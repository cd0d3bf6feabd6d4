// Rotation, groups, attention.
#include "model/reference_attention.h"

namespace stagedtrain::model {
namespace {

// In the tables' type: in bfloat16 an angle would lose most of its digits.
at::Tensor rotated(const at::Tensor& x_BHTD, const RotaryTables& tables) {
  const std::int64_t length = x_BHTD.size(2), half = x_BHTD.size(3) / 2;
  const at::Tensor x = x_BHTD.to(tables.cos.scalar_type());
  const at::Tensor turned = at::cat({-x.narrow(3, half, half), x.narrow(3, 0, half)}, 3);
  return (x * tables.cos.narrow(0, 0, length) + turned * tables.sin.narrow(0, 0, length))
      .to(x_BHTD.scalar_type());
}

// Each of the kv_heads once for every query head that reads it.
at::Tensor for_queries(const at::Tensor& x_BKTD, std::int64_t heads) {
  const std::int64_t groups = x_BKTD.size(1);
  if (groups == heads) return x_BKTD;
  return x_BKTD.unsqueeze(2)
      .expand({-1, -1, heads / groups, -1, -1})
      .reshape({x_BKTD.size(0), heads, x_BKTD.size(2), x_BKTD.size(3)});
}

}  // namespace

RotaryTables::RotaryTables(const arch::ModelConfig& config, at::TensorOptions like) {
  const auto exact = like.dtype(at::kDouble);
  const auto dim = static_cast<double>(config.head_dim);
  const at::Tensor frequencies =
      at::pow(config.rope_theta, at::arange(0, config.head_dim, 2, exact) / -dim);
  const at::Tensor angles = at::outer(at::arange(config.context, exact), frequencies);
  const at::Tensor both = at::cat({angles, angles}, 1);
  const at::ScalarType type = c10::typeMetaToScalarType(like.dtype());
  cos = both.cos().to(type);
  sin = both.sin().to(type);
}

at::Tensor attend(const at::Tensor& qkv_BTX, const arch::ModelConfig& config,
                  const RotaryTables& rotary) {
  const std::int64_t rows = qkv_BTX.size(0), length = qkv_BTX.size(1);
  const std::int64_t heads = config.heads, groups = config.kv_heads;
  const auto heads_of = [&](std::int64_t begin, std::int64_t count, std::int64_t size) {
    return qkv_BTX.narrow(2, begin, count * size).view({rows, length, count, size}).transpose(1, 2);
  };
  const std::int64_t turned = (heads + groups) * config.head_dim;
  at::Tensor turning = heads_of(0, heads + groups, config.head_dim);
  if (rotary.cos.defined()) turning = rotated(turning, rotary);
  const at::Tensor query = turning.narrow(1, 0, heads);
  const at::Tensor key = for_queries(turning.narrow(1, heads, groups), heads);
  const at::Tensor value = for_queries(heads_of(turned, groups, config.value_dim), heads);
  const at::Tensor y_BHTD = at::scaled_dot_product_attention(query, key, value, {}, 0.0, true);
  return y_BHTD.transpose(1, 2).reshape({rows, length, heads * config.value_dim});
}

}  // namespace stagedtrain::model
