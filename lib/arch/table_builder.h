// How is the parameter table of a transformer built? Embeddings, attention, a feed-forward that is
// dense or made of experts, norms and head.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "arch/block_style.h"
#include "arch/param_table.h"

namespace stagedtrain::arch {

// Returns the tensors of a transformer with blocks of this style.
ParamTable transformer_table(const ModelConfig& config, const BlockStyle& style);

// Adds tensors in the order of the table. Matrices are initialized with the GPT-2 paper's standard
// deviation of 0.02; those that write into the residual stream with 0.02 / sqrt(2 * layers). A
// parameterization scales these numbers (parameter_scales.h). A weight W has the axes (out, in), as
// in y = W x + b. Query, key and value follow one another, and so do gate and up.
class TableBuilder {
 public:
  TableBuilder(const ModelConfig& config, const BlockStyle& style);
  void embed_tokens();
  void embed_positions();
  void block(int layer);
  void norm(int layer, const std::string& key, Role role);
  void attention(int layer);
  void feed_forward(int layer);
  void token_router(int layer);  // adds nothing if the layer is not routed
  void head();                   // adds nothing if the head is tied
  ParamTable table() && { return ParamTable(std::move(specs_)); }

 private:
  void add(int layer, const std::string& key, Role role, std::vector<AxisSize> axes, Init init);
  void linear(int layer, const std::string& key, Role role, AxisSize out, AxisSize in, bool bias);
  void head_norm(int layer, const std::string& key, AxisSize all);
  // The role of a matrix that ends a branch: it writes into the residual stream unless a norm
  // follows.
  Role output_role() const { return style_.norms_after ? Role::matrix : Role::residual_out; }
  void expert(int layer, int number, const std::string& prefix);

  const ModelConfig& c_;
  const BlockStyle& style_;
  AxisSize residual_, query_, key_, value_, heads_, ffn_, vocab_, entry_;
  int expert_ = -1;  // the expert whose tensors are being added, or -1
  std::vector<ParamSpec> specs_;
};

}  // namespace stagedtrain::arch
