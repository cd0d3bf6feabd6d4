// What the tables of all architectures share: linear maps, attention, and a feed-forward that is
// dense or made of experts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "arch/param_table.h"

namespace stagedtrain::arch {

// What an architecture's linear maps, norms and feed-forwards are like.
struct TableStyle {
  bool biases = false;
  bool gated = false;  // mlp.gate beside mlp.up
};

// Adds tensors in the order of the table. Matrices start with the GPT-2 paper's deviation of 0.02,
// those that write into the residual stream with 0.02 / sqrt(2 * layers). Names follow
// y = W x + b with W (out, in); query, key and value stand side by side, as do gate and up.
class TableBuilder {
 public:
  TableBuilder(const ModelConfig& config, TableStyle style);
  void embed_tokens();
  void embed_positions();
  void norm(int layer, const std::string& key, Role role = Role::norm);
  void attention(int layer);
  void feed_forward(int layer);
  void head();  // none where it is tied
  ParamTable table() && { return ParamTable(std::move(specs_)); }

 private:
  void add(int layer, const std::string& key, Role role, std::vector<AxisSize> axes, Init init);
  void linear(int layer, const std::string& key, Role role, AxisSize out, AxisSize in);
  void expert(int layer, int number, const std::string& prefix);

  const ModelConfig& c_;
  TableStyle style_;
  AxisSize residual_, query_, key_, value_, heads_, ffn_, vocab_;
  int expert_ = -1;  // that the tensors being added belong to
  std::vector<ParamSpec> specs_;
};

}  // namespace stagedtrain::arch
