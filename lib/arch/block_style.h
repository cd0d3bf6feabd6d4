// How do the blocks of the architectures differ? Parameter tables, growth and the running models
// all read this table.
#pragma once

namespace stagedtrain::arch {

// RMSNorms of queries and keys, applied before the rotary embedding. each: one norm per head, with
// one gain vector shared by all heads. together: one norm over all heads.
enum class HeadNorms { none, each, together };

struct BlockStyle {
  bool biases = false;       // every linear map and norm has a bias; the norms are then LayerNorms
  bool qkv_biases = false;   // queries, keys and values have biases
  bool gated = false;        // SwiGLU, with mlp.gate beside mlp.up; otherwise GELU
  bool rotary = false;       // rotary position embedding; otherwise learned positions
  bool norms_after = false;  // the norms follow the branches instead of preceding them
  bool parallel = false;     // attention and feed-forward read the same residual stream
  bool exact_gelu = false;   // GELU with the error function; otherwise its tanh approximation
  HeadNorms head_norms = HeadNorms::none;
};

}  // namespace stagedtrain::arch
