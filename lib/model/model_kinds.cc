// Lists the reference implementation of each architecture. Fused kernels compute all of them.
#include "model/models.h"

namespace stagedtrain::model {

const std::vector<ModelKind>& model_kinds() {
  static const std::vector<ModelKind> kinds = {
      {"gpt2", make_gpt2_reference},   {"llama", make_llama_reference},
      {"qwen2", make_llama_reference}, {"qwen3", make_llama_reference},
      {"olmo2", make_llama_reference}, {"olmoe", make_llama_reference},
      {"neox", make_gpt2_reference}};
  return kinds;
}

}  // namespace stagedtrain::model
