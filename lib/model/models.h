// Declares the table of model implementations, with one line per architecture.
#pragma once

#include <memory>
#include <vector>

#include "arch/architectures.h"
#include "model/model.h"

namespace stagedtrain::model {

struct ModelKind {
  const char* architecture;
  std::unique_ptr<Model> (*make_reference)(const arch::ModelConfig&, const ModelOptions&);
};
const std::vector<ModelKind>& model_kinds();

std::unique_ptr<Model> make_gpt2_reference(const arch::ModelConfig& config,
                                           const ModelOptions& options);
std::unique_ptr<Model> make_fused(const arch::ModelConfig& config, const ModelOptions& options);
std::unique_ptr<Model> make_llama_reference(const arch::ModelConfig& config,
                                            const ModelOptions& options);

}  // namespace stagedtrain::model
