// Which tensors does a model have? A table that checkpoints, growth, the running model and tests
// iterate over.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// What the index along a tensor's axis counts. Sizes: query is heads x head_dim, key is kv_heads x
// head_dim, value is kv_heads x value_dim, heads (the input of the attention output) is heads x
// value_dim, and entry (within one query or key) is head_dim.
enum class Axis { vocab, position, residual, query, key, value, heads, ffn, experts, entry };
inline constexpr int kNumAxes = 10;
// What a tensor does. residual_out writes into the residual stream (its bias too); head is the
// untied output head; final_norm is the norm before the head; branch_norm normalises what a branch
// adds to the residual stream; head_norm normalises queries or keys. A router is a matrix of shape
// (experts, residual).
enum class Role {
  embed,
  head,
  matrix,
  bias,
  norm,
  final_norm,
  residual_out,
  branch_norm,
  head_norm
};

struct AxisSize {
  Axis axis;
  std::int64_t size;
  bool operator==(const AxisSize&) const = default;
};

// How a fresh tensor is initialized: normal with standard deviation `value`, or constant `value`.
struct Init {
  enum class Kind { normal, constant } kind = Kind::constant;
  double value = 0;
};

// Factors on the learning rate, the weight decay and eps of the optimizer for a tensor.
struct StepScales {
  double lr = 1, decay = 1, eps = 1;
  bool operator==(const StepScales&) const = default;
};

// One tensor. A matrix has the axes (out, in), as in y = W x + b. name is unique in a table. layer
// is -1 outside the blocks. key is the name within the layer, or the whole name outside the blocks.
// expert is the index of the expert that the tensor belongs to, or -1. scales are those of a fresh
// model: 1 unless it has a parameterization.
struct ParamSpec {
  std::string name, key;
  int layer = -1;
  Role role = Role::matrix;
  std::vector<AxisSize> axes;  // one or two
  bool decays = false;         // weight decay applies (to tensors with two axes)
  Init init;
  int expert = -1;
  StepScales scales = {};

  std::int64_t count() const;
  std::vector<std::int64_t> shape() const;
};

// All tensors of one model, in the architecture's order. Names are unique.
class ParamTable {
 public:
  explicit ParamTable(std::vector<ParamSpec> specs);
  const std::vector<ParamSpec>& specs() const { return specs_; }
  auto begin() const { return specs_.begin(); }
  auto end() const { return specs_.end(); }
  std::size_t size() const { return specs_.size(); }
  const ParamSpec& operator[](std::size_t i) const { return specs_[i]; }
  // Returns the index of the tensor with this name, or -1.
  std::int64_t index(const std::string& name) const;
  std::int64_t total_count() const;

 private:
  std::vector<ParamSpec> specs_;
  std::vector<std::pair<std::string, std::int64_t>> by_name_;
};

const char* role_name(Role role);
// Returns, for instance, "layers.3.attention.query.weight".
std::string layer_name(int layer, const std::string& key);

}  // namespace stagedtrain::arch
