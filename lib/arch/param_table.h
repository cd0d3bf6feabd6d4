// A model as a table of tensors: what checkpoints, growth, the running model and tests walk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "arch/model_config.h"

namespace stagedtrain::arch {

// What an index of a tensor's dimension counts. query is heads x head_dim, key kv_heads x head_dim,
// value kv_heads x value_dim; heads is what attention gives to its output, heads x value_dim; entry
// is the place within one query or key, head_dim.
enum class Axis { vocab, position, residual, query, key, value, heads, ffn, experts, entry };
inline constexpr int kNumAxes = 10;
// What a tensor does. A router is a matrix (experts, residual). residual_out writes into the
// residual stream (its bias too); head is the untied output head; final_norm the norm before it.
// branch_norm is a norm of what a branch adds to the residual stream, head_norm one of queries or
// keys.
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

// How a fresh tensor is filled: normal with this deviation, or one constant.
struct Init {
  enum class Kind { normal, constant } kind = Kind::constant;
  double value = 0;
};

// One tensor. A matrix has axes (out, in), as y = W x + b. name is unique in a table; layer is -1
// outside the blocks, and key is the name within the layer (or the whole name). expert is the
// number of the expert that it belongs to, or -1.
struct ParamSpec {
  std::string name, key;
  int layer = -1;
  Role role = Role::matrix;
  std::vector<AxisSize> axes;  // one or two
  bool decays = false;         // weight decay applies (matrices only)
  Init init;
  int expert = -1;

  std::int64_t count() const;
  std::vector<std::int64_t> shape() const;
};

// All tensors of one model, in the architecture's order; names are unique.
class ParamTable {
 public:
  explicit ParamTable(std::vector<ParamSpec> specs);
  const std::vector<ParamSpec>& specs() const { return specs_; }
  auto begin() const { return specs_.begin(); }
  auto end() const { return specs_.end(); }
  std::size_t size() const { return specs_.size(); }
  const ParamSpec& operator[](std::size_t i) const { return specs_[i]; }
  // The index of a tensor by name, or -1.
  std::int64_t index(const std::string& name) const;
  std::int64_t total_count() const;

 private:
  std::vector<ParamSpec> specs_;
  std::vector<std::pair<std::string, std::int64_t>> by_name_;
};

const char* role_name(Role role);
// "layers.3.attention.query.weight"
std::string layer_name(int layer, const std::string& key);

}  // namespace stagedtrain::arch
