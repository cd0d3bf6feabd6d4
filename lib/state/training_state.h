// Defines the training state at rest: everything needed to continue training with the same bits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/model_config.h"
#include "arch/param_table.h"
#include "state/host_tensor.h"
#include "state/tensor_history.h"

namespace stagedtrain::state {

// The values that are kept for each parameter. Their names are the groups of a checkpoint file.
// ema, an exponential moving average of the weights, is kept only if the run asks for it.
enum class TensorKind { weights, exp_avg, exp_avg_sq, ema };
inline constexpr TensorKind kTensorKinds[] = {TensorKind::weights, TensorKind::exp_avg,
                                              TensorKind::exp_avg_sq};
const char* kind_name(TensorKind kind);
// Returns the kinds of a state, with or without an average of the weights.
std::span<const TensorKind> tensor_kinds(bool ema);

// How far a run has come. Totals count from the first step of the first stage.
struct Progress {
  std::int64_t step = 0;         // optimizer steps taken
  std::int64_t tokens = 0;       // tokens trained on
  double flops = 0;              // matmul FLOPs, as arch::flops_per_token counts
  double seconds = 0;            // wall-clock seconds spent in training steps
  std::string stage;             // name of the stage being run
  std::int64_t stage_index = 0;  // its place in the schedule
  std::int64_t stage_step = 0;   // steps taken in this stage
  bool stage_done = false;       // the stage reached its end
  std::int64_t total_steps = 0;  // length of the learning-rate curve, in steps, as planned
  double learning_rate = 0;      // learning rate of the last step
  double loss_mean = 0, loss_var = 0, norm_mean = 0, norm_var = 0;  // running, for the z-scores
  // Sum and number of the losses since the last line of the log; the next line is their mean.
  double loss_sum = 0;
  std::int64_t loss_steps = 0;
  bool operator==(const Progress&) const = default;
};

// One ancestor: how this state was grown from a smaller one.
struct LineageEntry {
  std::string source;       // path of the file it grew from, or "in memory"
  std::string source_crc;   // crc32c over that state's checksums, hexadecimal
  std::string operators;    // the growth as YAML, one line
  std::int64_t step = 0;    // at this step
  arch::ModelConfig model;  // the smaller model
  bool operator==(const LineageEntry&) const = default;
};

// Facts about the run that are stored with the state, so that the file is self-contained.
struct RunInfo {
  std::string schedule;          // resolved schedule, YAML
  std::string tokenizer;         // "bytes", a SentencePiece model, a tokenizer.json, or ""
  std::string data_path;         // training tokens
  std::string data_fingerprint;  // crc32c of training and validation tokens: "0a1b2c3d 4e5f6a7b"
  double text_bytes_per_token = 0;
  bool operator==(const RunInfo&) const = default;
};

// The subset of the training windows that a run reads, and what the next subset is drawn from
// (data.select). The windows themselves follow from the seed, the generation and the gains, so the
// state needs no other file.
struct WindowSelection {
  std::int64_t context = 0;        // tokens of a window
  std::int64_t features_step = 0;  // the step at which the gains were computed
  std::int64_t step = 0;           // the step at which the subset was drawn
  std::int64_t first_index = 0;    // the first sequence that the subset supplies
  std::int64_t generation = 0;     // subsets drawn before this one
  std::string gains;               // of all windows, as little-endian float32
  std::int64_t windows() const { return static_cast<std::int64_t>(gains.size() / 4); }
  bool operator==(const WindowSelection&) const = default;
};

// The place in the data order. It is a data::Cursor as plain numbers, because state may not include
// data.
struct DataPosition {
  std::uint64_t seed = 0;
  std::int64_t index = 0;
  std::optional<WindowSelection> selection;  // nothing: the run reads all windows
  bool operator==(const DataPosition&) const = default;
};

// Until it ends, what the operator `mask` added in the last growth is multiplied by a mask that
// rises from 0 to 1. The last entry of the lineage says what that is (train::model_before_mask).
struct MaskRamp {
  std::int64_t start = 0, steps = 0;  // steps 0: no mask
  bool operator==(const MaskRamp&) const = default;
};

struct TrainingState {
  arch::ModelConfig model;               // resolved
  std::vector<HostTensor> tensors[4];    // indexed by TensorKind, then as param_table(model)
  std::vector<TensorHistory> histories;  // one for each tensor
  MaskRamp mask;
  Progress progress;
  DataPosition data;
  std::uint64_t seed = 0;
  std::vector<LineageEntry> lineage;  // oldest first
  RunInfo run;

  bool has_ema() const { return !of(TensorKind::ema).empty(); }
  std::vector<HostTensor>& of(TensorKind kind) { return tensors[static_cast<int>(kind)]; }
  const std::vector<HostTensor>& of(TensorKind kind) const {
    return tensors[static_cast<int>(kind)];
  }
};

// Returns a freshly initialised state. Weights follow each tensor's Init and are a pure function of
// seed and name; moments are zero; there is no average of the weights.
TrainingState fresh(const arch::ModelConfig& model, std::uint64_t seed, DType dtype = DType::f32);
// Returns one weight of such a state.
HostTensor fresh_weight(const arch::ParamSpec& spec, std::uint64_t seed, DType dtype);
// Returns the histories of such a state: no age, and the scales of the model's parameterization.
std::vector<TensorHistory> fresh_histories(const arch::ModelConfig& model);

}  // namespace stagedtrain::state
