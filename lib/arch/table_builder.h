// What the tables of all architectures share: linear maps, attention, and a feed-forward that is
// dense or made of experts.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "arch/block_style.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

// The tensors of a transformer whose blocks are of this style.
ParamTable transformer_table(const ModelConfig& config, const BlockStyle& style);

// Adds tensors in the order of the table. Matrices start with the GPT-2 paper's deviation of 0.02,
// those that write into the residual stream with 0.02 / sqrt(2 * layers). Names follow
// y = W x + b with W (out, in); query, key and value stand side by side, as do gate and up.
class TableBuilder {
 public:
  TableBuilder(const ModelConfig& config, const BlockStyle& style);
  void embed_tokens();
  void embed_positions();
  void block(int layer);
  void norm(int layer, const std::string& key, Role role);
  void attention(int layer);
  void feed_forward(int layer);
  void head();  // none where it is tied
  ParamTable table() && { return ParamTable(std::move(specs_)); }

 private:
  void add(int layer, const std::string& key, Role role, std::vector<AxisSize> axes, Init init);
  void linear(int layer, const std::string& key, Role role, AxisSize out, AxisSize in, bool bias);
  void head_norm(int layer, const std::string& key, AxisSize all);
  // What writes into the residual stream, where no norm stands between.
  Role output_role() const { return style_.norms_after ? Role::matrix : Role::residual_out; }
  void expert(int layer, int number, const std::string& prefix);

  const ModelConfig& c_;
  const BlockStyle& style_;
  AxisSize residual_, query_, key_, value_, heads_, ffn_, vocab_, entry_;
  int expert_ = -1;  // that the tensors being added belong to
  std::vector<ParamSpec> specs_;
};

}  // namespace stagedtrain::arch
