// Exporting: the weights and the tokenizer of a checkpoint in a format that others read.
#pragma once

#include <string>
#include <vector>

#include "hub/element.h"
#include "state/checkpoint.h"

namespace stagedtrain::hub {

enum class ExportFormat { hf, gguf, llmc };

struct ExportOptions {
  ExportFormat format = ExportFormat::hf;
  Element element = Element::f32;  // q8_0 for GGUF only
  std::uint64_t shard_bytes = std::uint64_t{5} << 30;  // of weights in one file, for hf
  bool force = false;                                  // replace what is there
};

struct ExportResult {
  arch::ModelConfig model;         // as written
  std::vector<std::string> files;  // names within the folder, or the one file
  std::uint64_t bytes = 0;         // of all files
  std::vector<std::string> notes;  // what a user should know, in whole sentences
};

// Writes the folder (hf) or file at target, whole or not at all. Rows of the vocabulary behind the
// tokenizer's ids are left out. Throws Error(usage) for what the format cannot say, for a target
// that exists without force, and for a state whose mask still rises.
ExportResult export_model(const state::CheckpointReader& from, const Path& target,
                          const ExportOptions& options);

// The parts, one for each format; model has the vocabulary that is written.
ExportResult export_hf(const state::CheckpointReader& from, const arch::ModelConfig& model,
                       const Path& target, const ExportOptions& options);
ExportResult export_gguf(const state::CheckpointReader& from, const arch::ModelConfig& model,
                         const Path& target, const ExportOptions& options);
ExportResult export_llmc(const state::CheckpointReader& from, const arch::ModelConfig& model,
                         const Path& target, const ExportOptions& options);

}  // namespace stagedtrain::hub
