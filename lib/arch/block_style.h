// What tells the architectures' blocks apart, as data: the tables of tensors, growth and the running
// models read it.
#pragma once

namespace stagedtrain::arch {

// RMSNorms of queries and of keys before they are turned: of each head by itself with one gain for
// all heads, or of all heads together.
enum class HeadNorms { none, each, together };

struct BlockStyle {
  bool biases = false;       // of every linear map and norm; the norms are then LayerNorms
  bool qkv_biases = false;   // of queries, keys and values
  bool gated = false;        // SwiGLU, with mlp.gate beside mlp.up; else GELU
  bool rotary = false;       // positions are turned into queries and keys; else they are learned
  bool norms_after = false;  // the norms are of what a branch gives, none is before it
  bool parallel = false;     // both branches read the same residual stream
  bool exact_gelu = false;   // GELU by the error function; else its tanh form
  HeadNorms head_norms = HeadNorms::none;
};

}  // namespace stagedtrain::arch
