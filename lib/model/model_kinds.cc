// Lists which implementations each architecture has.
#include "model/models.h"

namespace stagedtrain::model {

const std::vector<ModelKind>& model_kinds() {
  static const std::vector<ModelKind> kinds = {{"gpt2", make_gpt2_reference, make_fused},
                                               {"llama", make_llama_reference, make_fused},
                                               {"qwen2", make_llama_reference, make_fused},
                                               {"qwen3", make_llama_reference, nullptr},
                                               {"olmo2", make_llama_reference, nullptr},
                                               {"neox", make_gpt2_reference, nullptr}};
  return kinds;
}

}  // namespace stagedtrain::model
