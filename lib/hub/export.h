// How are the weights and the tokenizer of a checkpoint exported to a format of other programs?
#pragma once

#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "foreign/parsed_tokenizer.h"
#include "modelfiles/element.h"

namespace stagedtrain::hub {

enum class ExportFormat { hf, gguf, llmc };

struct ExportOptions {
  ExportFormat format = ExportFormat::hf;
  Element element = Element::f32;                      // q8_0 for GGUF only
  std::uint64_t shard_bytes = std::uint64_t{5} << 30;  // hf only: bytes of weights per shard
  bool force = false;                                  // replace an existing target
  // what is written: the weights, or ema, their moving average
  state::TensorKind kind = state::TensorKind::weights;
};

struct ExportResult {
  arch::ModelConfig model;         // the model that was written
  std::vector<std::string> files;  // names within the folder, or the single file
  std::uint64_t bytes = 0;         // size of all files
  std::vector<std::string> notes;  // what the user should know, in whole sentences
};

// Writes a folder (hf) or a file at target, which appears whole or not at all. Vocabulary rows
// beyond the tokenizer's ids are left out. Throws Error(usage) if the format cannot express the
// model, if the target exists and force is not set, if the checkpoint has no tensors of the
// kind, or if the last growth's mask has not reached 1.
ExportResult export_model(const state::CheckpointReader& from, const Path& target,
                          const ExportOptions& options);

// One exporter per format. `model` is the configuration to write, with the reduced vocabulary.
ExportResult export_hf(const state::CheckpointReader& from, const arch::ModelConfig& model,
                       const ParsedTokenizer& tokenizer, const Path& target,
                       const ExportOptions& options);
ExportResult export_gguf(const state::CheckpointReader& from, const arch::ModelConfig& model,
                         const ParsedTokenizer& tokenizer, const Path& target,
                         const ExportOptions& options);
ExportResult export_llmc(const state::CheckpointReader& from, const arch::ModelConfig& model,
                         const Path& target, const ExportOptions& options);

}  // namespace stagedtrain::hub
