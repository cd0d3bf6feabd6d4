// Runs the models of all architectures on the CPU in fp32 with fused kernels and hand-written
// gradients.
#include <cmath>
#include <optional>

#include "arch/loops.h"
#include "arch/rotary.h"
#include "base/error.h"
#include "fused/fused_mask.h"
#include "fused/fused_passes.h"
#include "model/models.h"

namespace stagedtrain::model {
namespace {

class FusedModel final : public Model {
 public:
  FusedModel(const arch::ModelConfig& config, const ModelOptions& options)
      : Model(config, options),
        sizes_(sizes_of(config)),
        whole_work_(arch::whole_work(config)),
        weights_(tensors_of(params_, params_.weights(), config)) {
    if (sizes_.style.rotary) make_rotation();
  }
  const char* kernels_name() const override { return "fused"; }

  void set_mask(const ModelMask& mask) override {
    mask_.reset();
    if (mask.visible < 1) mask_.emplace(config_, mask);
  }

  at::Tensor loss_and_backward(const at::Tensor& tokens_BS, double scale, std::uint64_t random_seed,
                               GradientProgress* progress) override {
    ST_CHECK(!work_.drops_tokens(), "fused kernels run a layer on all tokens");
    start(tokens_BS, 1, {.recompute = options_.recompute, .dropout = options_.dropout > 0});
    const Executed executed = executed_layers();
    FusedRun run = run_of(executed, tokens_BS.size(1), {options_.dropout, random_seed});
    // Behind a mask, gradients are complete only after the pass.
    if (!executed.masked) run.progress = shards_ ? shards_.get() : progress;
    forward_pass(run);
    const double rows = static_cast<double>(acts_.rows);
    backward_pass(run, executed.grads, static_cast<float>(scale / rows),
                  static_cast<float>(options_.z_loss));
    if (executed.masked) executed.masked->add_gradients();
    return at::scalar_tensor(sum_of_losses(0, acts_.rows) / rows, at::kDouble);
  }

  at::Tensor row_losses(const at::Tensor& tokens_BS) override {
    start(tokens_BS, 1, {.forward_only = true});
    const Executed executed = whole_model();
    const FusedRun run = run_of(executed, tokens_BS.size(1));
    forward_pass(run);
    write_losses(run);
    at::Tensor means_B = at::empty({acts_.sequences}, at::kDouble);
    for (std::int64_t b = 0; b < acts_.sequences; ++b)
      means_B.data_ptr<double>()[b] =
          sum_of_losses(b * acts_.length, acts_.length) / static_cast<double>(acts_.length);
    return means_B;
  }

  at::Tensor logits(const at::Tensor& tokens_BT) override {
    start(tokens_BT, 0, {.forward_only = true});
    const Executed executed = whole_model();
    const FusedRun run = run_of(executed, tokens_BT.size(1));
    forward_pass(run);
    at::Tensor logits_BTV =
        at::empty({acts_.sequences, acts_.length, sizes_.vocab}, at::TensorOptions(at::kFloat));
    write_logits(run, logits_BTV.data_ptr<float>());
    return logits_BTV;
  }

  at::Tensor mean_features(const at::Tensor& tokens_BT, std::int64_t layers) override {
    start(tokens_BT, 0, {.forward_only = true});
    Executed executed{sizes_, weights_, whole_model().grads, {}, {}};
    take_layers(arch::first_layers(layers).list(0), executed);
    if (mask_) executed.masked.emplace(*mask_, executed.weights, executed.grads);
    forward_pass(run_of(executed, tokens_BT.size(1)));
    at::Tensor means_BC = at::empty({acts_.sequences, sizes_.width}, at::kFloat);
    for (std::int64_t b = 0; b < acts_.sequences; ++b)
      write_mean(acts_.final_norm.y + b * acts_.length * sizes_.width,
                 means_BC.data_ptr<float>() + b * sizes_.width);
    return means_BC;
  }

 private:
  // Writes the mean of the rows of one sequence, [T, C].
  void write_mean(const float* rows, float* mean) const {
    std::vector<double> sums(static_cast<std::size_t>(sizes_.width));
    for (std::int64_t t = 0; t < acts_.length; ++t)
      for (std::size_t c = 0; c < sums.size(); ++c)
        sums[c] += rows[t * sizes_.width + static_cast<std::int64_t>(c)];
    for (std::size_t c = 0; c < sums.size(); ++c)
      mean[c] = static_cast<float>(sums[c] / static_cast<double>(acts_.length));
  }

  // Lays out the activations of a batch and copies its token ids. extra is the number of ids of a
  // sequence beyond its inputs (1 if there are targets).
  void start(const at::Tensor& tokens, std::int64_t extra, const Purpose& purpose) {
    ST_CHECK(tokens.dim() == 2 && tokens.scalar_type() == at::kLong && tokens.is_cpu(),
             "tokens must be an int64 matrix on the CPU");
    const std::int64_t length = tokens.size(1) - extra;
    ST_CHECK(length >= 1 && length <= config_.context, "a sequence of {} tokens, context {}",
             length, config_.context);
    FusedSizes sizes = sizes_;  // as deep as the pass that is to come
    sizes.layers = std::max(sizes.layers, arch::executed_layers(config_));
    if (work_.layers && !purpose.forward_only)
      sizes.layers = std::max(sizes.layers, std::ssize(*work_.layers));
    if (!laid_out_ || acts_.sequences != tokens.size(0) || acts_.length != length ||
        std::ssize(acts_.layers) < sizes.layers || purpose_ != purpose ||
        workers_ != num_workers()) {
      acts_ = lay_out(arena_, sizes, tokens.size(0), length, purpose);
      purpose_ = purpose;
      workers_ = num_workers();
      laid_out_ = true;
    }
    take_ids(tokens);
  }

  // The model that a training pass runs: only the layers that work_ runs, and only the gradients
  // that are needed. Its layers are numbered from 0, so it uses the activations of the first
  // layers.
  struct Executed {
    FusedSizes sizes;
    FusedTensors weights, grads;
    std::vector<std::vector<float>> scaled_biases;  // weights points to them
    std::optional<MaskedTensors> masked;            // so do weights and grads
  };
  Executed whole_model() {
    Executed e{sizes_, weights_, {}, {}, {}};
    e.grads.layers.resize(weights_.layers.size());
    for (FusedLayer& layer : e.grads.layers)
      layer.experts.resize(static_cast<std::size_t>(sizes_.experts));
    if (whole_work_.layers) take_layers(*whole_work_.layers, e);
    if (mask_) e.masked.emplace(*mask_, e.weights, e.grads);
    return e;
  }
  Executed executed_layers() {
    if (frozen_ != params_.frozen()) {
      frozen_ = params_.frozen();
      grads_ = trained_tensors_of(params_, params_.grads(), config_);
    }
    Executed e{sizes_, weights_, grads_, {}, {}};
    const arch::StepWork& work = work_.layers ? work_ : whole_work_;
    if (work.layers) take_layers(*work.layers, e);
    if (mask_) e.masked.emplace(*mask_, e.weights, e.grads);
    return e;
  }
  void take_layers(const std::vector<arch::LayerWork>& list, Executed& e) {
    const bool joins = sizes_.gated() && std::ranges::any_of(list, &arch::LayerWork::ffn);
    if (joins) joined_up_.resize(static_cast<std::size_t>(sizes_.up_width() * sizes_.width));
    acts_.joined_up = joined_up_.data();
    std::vector<FusedLayer> grads;
    e.weights.layers.clear();
    for (const arch::LayerWork& one : list) {
      const auto i = static_cast<std::size_t>(one.layer);
      FusedLayer layer = weights_.layers[i];
      layer.branch_scale = static_cast<float>(one.scale);
      layer.output_bias = scaled(layer.output_bias, layer.branch_scale, e);
      layer.mlp.down_bias = scaled(layer.mlp.down_bias, layer.branch_scale, e);
      layer.place = one.place(sizes_.layers);
      layer.ffn = one.units(sizes_.ffn);
      e.weights.layers.push_back(layer);
      grads.push_back(e.grads.layers[i]);
    }
    e.grads.layers = std::move(grads);
    e.sizes.layers = static_cast<std::int64_t>(e.weights.layers.size());
  }
  float* scaled(float* bias, float scale, Executed& executed) const {
    if (bias == nullptr || scale == 1) return bias;
    std::vector<float>& kept = executed.scaled_biases.emplace_back(bias, bias + sizes_.width);
    for (float& value : kept) value *= scale;
    return kept.data();
  }

  // ids_stride: the number of ids of a sequence in acts_.ids
  FusedRun run_of(const Executed& executed, std::int64_t ids_stride,
                  const PassDropout& dropout = {}) const {
    kernels::Rotation rotation;
    if (!cos_.empty())
      rotation = {cos_.data(),       sin_.data(),
                  acts_.length,      sizes_.heads + sizes_.kv_heads,
                  sizes_.head_dim,   arch::rotary_entries(config_),
                  sizes_.qkv_width()};
    const kernels::NormMean mean = mask_ ? mask_->norm_mean() : kernels::NormMean{};
    return {executed.sizes, executed.weights, acts_,        ids_stride, rotation,
            mean,           dropout,          shards_.get()};
  }

  // The same angles as in the reference (reference_attention.cc).
  void make_rotation() {
    const std::vector<double> turns = arch::rotary_frequencies(config_);
    for (std::int64_t t = 0; t < config_.context; ++t)
      for (const double turn : turns) {
        cos_.push_back(static_cast<float>(std::cos(static_cast<double>(t) * turn)));
        sin_.push_back(static_cast<float>(std::sin(static_cast<double>(t) * turn)));
      }
  }

  void take_ids(const at::Tensor& tokens) {
    const at::Tensor whole = tokens.contiguous();
    const std::int64_t* ids = whole.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < whole.numel(); ++i) {
      ST_CHECK(ids[i] >= 0 && ids[i] < sizes_.vocab, "token {} of vocab {}", ids[i], sizes_.vocab);
      acts_.ids[i] = static_cast<std::int32_t>(ids[i]);
    }
  }

  double sum_of_losses(std::int64_t first, std::int64_t count) const {
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i) sum += acts_.losses[first + i];
    return sum;
  }

  FusedSizes sizes_;
  arch::StepWork whole_work_;  // of a pass that no policy changes
  FusedTensors weights_, grads_;
  std::vector<bool> frozen_;  // the frozen tensors that grads_ leaves out
  Arena arena_;
  FusedActivations acts_;
  std::vector<float> joined_up_;   // acts_ points to it; empty until a pass runs other work
  std::vector<float> cos_, sin_;   // [context, rotary_entries / 2]; empty without rotation
  std::optional<FusedMask> mask_;  // while a growth mask rises
  std::int64_t workers_ = 0;
  Purpose purpose_;
  bool laid_out_ = false;
};

}  // namespace

std::unique_ptr<Model> make_fused(const arch::ModelConfig& config, const ModelOptions& options) {
  return std::make_unique<FusedModel>(config, options);
}

}  // namespace stagedtrain::model
