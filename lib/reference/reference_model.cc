// Computes losses and their gradients with ATen and autograd.
#include "reference/reference_model.h"

#include <algorithm>

#include "arch/kept_tokens.h"
#include "io/given_back.h"
#include "model/cuda_check.h"
#include "reference/backward_call.h"
#include "reference/linear.h"

namespace stagedtrain::model {
namespace {

// Adds gradients in bfloat16 to those of the master type. On a CPU, ATen first converts all of an
// operand of another type, which would take another four bytes per parameter, so there they are
// added in parts.
void add_in_parts(const at::Tensor& gradients, const at::Tensor& sums) {
  constexpr std::int64_t kPart = 1 << 20;
  const std::int64_t all = gradients.numel(), at_once = gradients.is_cuda() ? all : kPart;
  for (std::int64_t begin = 0; begin < all; begin += at_once) {
    const std::int64_t size = std::min(at_once, all - begin);
    sums.narrow(0, begin, size).add_(gradients.narrow(0, begin, size));
  }
}

at::Tensor sum_of(const Stream& stream) {
  return stream.branch.defined() ? stream.x + stream.branch : stream.x;
}

// Returns the positions of the tokens of each sequence that pass through a layer, [B, K].
at::Tensor kept_positions(const arch::StepWork& work, const arch::LayerWork& one,
                          const at::Tensor& x_BTC) {
  std::vector<std::int64_t> positions;
  for (std::int64_t row = 0; row < x_BTC.size(0); ++row) {
    const std::vector<std::int64_t> kept =
        arch::kept_tokens(work.token_seed, work.first_sequence + row, one.layer, x_BTC.size(1),
                          std::min(one.tokens, x_BTC.size(1)));
    positions.insert(positions.end(), kept.begin(), kept.end());
  }
  return at::tensor(positions, at::kLong).view({x_BTC.size(0), -1}).to(x_BTC.device());
}

}  // namespace

// On a CPU, the masks are those of the fused kernels. On a GPU they are ATen's, from its generator.
at::Tensor ReferencePass::dropped(const at::Tensor& x_BTC, const kernels::Dropout& mask) const {
  if (!dropout.active()) return x_BTC;
  if (!x_BTC.is_cpu()) return at::dropout(x_BTC, dropout.probability, true);
  at::Tensor kept_BTC = at::ones(x_BTC.sizes(), at::kFloat);
  const std::int64_t width = x_BTC.size(-1);
  kernels::drop({mask.key, mask.probability, 1}, kept_BTC.const_data_ptr<float>(), 0,
                kept_BTC.numel() / width, width, kept_BTC.mutable_data_ptr<float>());
  return x_BTC * kept_BTC.to(x_BTC.scalar_type()) * (1 / (1 - dropout.probability));
}

ReferenceModel::ReferenceModel(const arch::ModelConfig& config, const ModelOptions& options)
    : Model(config, options),
      recorded_(options.make_graph, params_.grads(),
                allowed_difference(mixed() ? at::kBFloat16 : at::kFloat)),
      ops_(options.ops ? *options.ops : aten_ops()) {
  if (mixed()) params_.keep_copy();
  master_grads_ = params_.grads();
  last_unit_ = config.layers + (config.tied ? 0 : 1);
  whole_work_ = arch::whole_work(config);
  boundaries_ = arch::boundaries_of(config);
  compute_ = mixed() ? params_.copy() : params_.weights();
  compute_grads_ = mixed() ? params_.flat_zeros(at::kBFloat16) : params_.grads();
  token_ = leaf({"embed.token"});
  head_ = config.tied ? token_ : leaf({"head.weight"});
  for (int layer = 0; layer < config.layers; ++layer)
    token_routers_.push_back(arch::is_routed(config, layer) ? leaf(layer, arch::kTokenRouter)
                                                            : at::Tensor());
}

void ReferenceModel::set_mask(const ModelMask& mask) {
  mask_ = mask.visible < 1 ? ReferenceMask(config_, mask, params_.weights().options())
                           : ReferenceMask();
}

at::Tensor ReferenceModel::leaf(const std::vector<std::string>& names) const {
  at::Tensor leaf = params_.packed_view(compute_, names).detach().requires_grad_(true);
  leaf.mutable_grad() = params_.packed_view(compute_grads_, names);
  Leaf& kept = leaves_.emplace_back(leaf);
  for (const std::string& name : names)
    kept.tensors.push_back(static_cast<std::size_t>(params_.table().index(name)));
  return leaf;
}

// Turns gradients off for leaves whose tensors are all frozen, and on for the others. Autograd then
// stops at the lowest trained tensor.
void ReferenceModel::leave_out_frozen() {
  if (frozen_ == params_.frozen()) return;
  frozen_ = params_.frozen();
  recorded_.forget();
  for (Leaf& one : leaves_)
    one.leaf.set_requires_grad(
        std::ranges::any_of(one.tensors, [&](std::size_t i) { return !params_.frozen()[i]; }));
}

void ReferenceModel::set_student(const std::optional<Distillation>& how) {
  student_ = how ? std::make_unique<Student>(*this, *how) : nullptr;
}

at::Tensor ReferenceModel::leaf(int layer, const std::string& key) const {
  return leaf({arch::layer_name(layer, key)});
}

at::Tensor ReferenceModel::qkv_leaf(int layer, const std::string& kind) const {
  return leaf({arch::layer_name(layer, "attention.query." + kind),
               arch::layer_name(layer, "attention.key." + kind),
               arch::layer_name(layer, "attention.value." + kind)});
}

std::vector<std::string> feed_forward_prefixes(const arch::ModelConfig& config) {
  if (config.experts == 0) return {"mlp."};
  std::vector<std::string> prefixes;
  for (std::int64_t i = 0; i < config.experts; ++i)
    prefixes.push_back("mlp.experts." + std::to_string(i) + ".");
  return prefixes;
}

// Returns the logits [.., V] in the master type for features [.., C].
at::Tensor ReferenceModel::scores(const at::Tensor& features) const {
  const at::Tensor logits = apply_linear(features, head_);
  const at::Tensor scores = mixed() ? logits.to(at::kFloat) : logits;
  return config_.logit_scale == 1 ? scores : scores * config_.logit_scale;
}

at::Tensor ReferenceModel::loss_and_backward(const at::Tensor& tokens_BS, double scale,
                                             std::uint64_t random_seed, GradientProgress*) {
  if (options_.dropout > 0 && options_.device.is_cuda()) at::manual_seed(random_seed);
  leave_out_frozen();
  const PassDropout dropout{options_.dropout, random_seed};
  if (!can_be_recorded()) return pass(tokens_BS, scale, dropout);
  return recorded_.run(tokens_BS, scale, [&](const at::Tensor& tokens, double factor) {
    return pass(tokens, factor, dropout);
  });
}

at::Tensor ReferenceModel::pass(const at::Tensor& tokens_BS, double scale,
                                const PassDropout& dropout) {
  const at::AutoGradMode grad_on(true);
  if (mixed() && !shards_) compute_grads_.zero_();
  const std::int64_t length = tokens_BS.size(1) - 1;
  RouterLoads loads;
  RouterLabels labels;
  const bool balanced = config_.layers > 0 && config_.experts > 0 && config_.router_loss > 0;
  const at::Tensor x_NC =
      features(tokens_BS.narrow(1, 0, length), {.dropout = dropout,
                                                .loads = balanced ? &loads : nullptr,
                                                .labels = &labels,
                                                .work = work_.layers ? &work_ : nullptr,
                                                .layers = config_.layers})
          .flatten(0, 1);
  // The head is complete until the backward pass enters the last block, or ends.
  if (shards_) enter_backward(shards_->unit_of_head());
  const Loss loss =
      student_ ? student_->loss(x_NC, tokens_BS, scale, dropout)
               : ops_.classifier_loss(x_NC, head_, tokens_BS.narrow(1, 1, length).flatten(),
                                      {config_.logit_scale, options_.z_loss, scale});
  at::Tensor objective = loss.objective;
  if (balanced) objective = objective + config_.router_loss * scale * loads.balancing_loss();
  if (arch::has_routed_layers(config_) && config_.routed_loss > 0)
    objective = objective + config_.routed_loss * scale * labels.mean_loss();
  objective.backward();
  if (shards_) {
    end_backward();
  } else if (mixed()) {
    const at::NoGradGuard no_grad;
    add_in_parts(compute_grads_, params_.grads());
  }
  return loss.mean;
}

// Where a layer drops tokens, or is routed, the others leave the stream, pass through the layer by
// themselves, and take their places again.
Stream ReferenceModel::through_all(const ReferencePass& pass, const BlockForward& block,
                                   Stream stream) const {
  const arch::StepWork& work = pass.work ? *pass.work : whole_work_;
  at::Tensor prelude_BTC;
  std::int64_t position = 0;
  for (const arch::LayerWork& one : work.list(config_.layers)) {
    if (boundaries_.before(position++) >= 0) stream = cross_boundary(stream, prelude_BTC);
    const auto run = [&](const at::Tensor& positions_BT, const Stream& in) {
      // The graph of the backward pass may keep this function.
      const BlockBody body = [block, one, positions_BT](const Stream& again) {
        return block(one, positions_BT, again);
      };
      return through(one.layer, pass, body, in);
    };
    const at::Tensor& router = token_routers_[static_cast<std::size_t>(one.layer)];
    if (one.tokens == 0 && !router.defined()) {
      stream = run({}, stream);
      continue;
    }
    const at::Tensor x_BTC = sum_of(stream);
    if (router.defined()) {
      ST_CHECK(one.tokens == 0, "layer {} is routed and drops tokens", one.layer);
      const auto layer = [&](const at::Tensor& positions_BK, const at::Tensor& x_BKC) {
        return sum_of(run(positions_BK, {x_BKC, {}}));
      };
      stream = {route_tokens(x_BTC, router, config_, layer, pass.labels), {}};
      continue;
    }
    const at::Tensor positions_BK = kept_positions(work, one, x_BTC);
    const at::Tensor index_BKC = positions_BK.unsqueeze(2).expand({-1, -1, x_BTC.size(2)});
    const Stream kept = run(positions_BK, {x_BTC.gather(1, index_BKC), {}});
    stream = {x_BTC.scatter(1, index_BKC, sum_of(kept)), {}};
  }
  return boundaries_.before(position) >= 0 ? cross_boundary(stream, prelude_BTC) : stream;
}

Stream ReferenceModel::cross_boundary(const Stream& stream, at::Tensor& prelude_BTC) const {
  const at::Tensor x_BTC = sum_of(stream);
  if (!prelude_BTC.defined()) prelude_BTC = x_BTC;
  const at::Tensor wide = x_BTC.to(master_type(options_.precision));
  const at::Tensor scale = (wide.square().mean(-1, true) + config_.norm_eps).rsqrt();
  return {(wide * scale).to(x_BTC.scalar_type()) + boundaries_.alpha * prelude_BTC, {}};
}

Stream ReferenceModel::through(std::int64_t layer, const ReferencePass& pass,
                               const BlockBody& block, const Stream& in) const {
  const bool trains = at::GradMode::is_enabled();
  const std::int64_t unit = layer + 1;
  const HeldUnit held(shards_.get(), unit);
  const bool calls = shards_ && trains;
  const Stream from = calls ? call_in_backward(in, [this, unit] { leave_backward(unit); }) : in;
  const bool wanted =
      from.x.requires_grad() || (from.branch.defined() && from.branch.requires_grad());
  const bool again = options_.recompute == Recompute::blocks && trains && wanted;
  const Stream out = again ? run_again_later(block, from, pass.dropout.active()) : block(from);
  return calls ? call_in_backward(out, [this, unit] { enter_backward(unit); }) : out;
}

void ReferenceModel::enter_backward(std::int64_t unit) const {
  if (!entered_.empty()) leave_backward(entered_.back());  // the head, or a block that is frozen
  shards_->acquire(unit);
  entered_.push_back(unit);
}

// The gradient of a tied head is complete only after that of the embeddings.
void ReferenceModel::leave_backward(std::int64_t unit) const {
  ST_CHECK(!entered_.empty() && entered_.back() == unit, "unit {} was not entered", unit);
  entered_.pop_back();
  shards_->release(unit);
  if (unit == 0) return;
  take_over_gradients(shards_->matrices_of(unit));
  shards_->gradient_is_complete(unit);
}

void ReferenceModel::end_backward() const {
  if (!entered_.empty()) leave_backward(entered_.back());
  const Range embeddings = shards_->matrices_of(0);
  take_over_gradients(embeddings);
  shards_->gradient_is_complete(0);
  const std::int64_t matrices = shards_->matrices_of(last_unit_).end;
  take_over_gradients({matrices, compute_grads_.numel()});
}

void ReferenceModel::take_over_gradients(const Range& range) const {
  if (!mixed()) return;
  const at::NoGradGuard no_grad;
  const at::Tensor part = compute_grads_.narrow(0, range.begin, range.size());
  add_in_parts(part, master_grads_.narrow(0, range.begin, range.size()));
  part.zero_();
  give_back(part.data_ptr(), part.nbytes());
}

at::Tensor ReferenceModel::row_losses(const at::Tensor& tokens_BS) {
  const at::NoGradGuard no_grad;
  const std::int64_t length = tokens_BS.size(1) - 1;
  const std::int64_t rows = rows_of_logits(config_.vocab);
  const auto features_nC = features(tokens_BS.narrow(1, 0, length), {}).flatten(0, 1).split(rows);
  const auto targets_n = tokens_BS.narrow(1, 1, length).flatten().split(rows);
  std::vector<at::Tensor> losses_n;
  const HeldUnit head = held_head();
  for (std::size_t i = 0; i < targets_n.size(); ++i)
    losses_n.push_back(
        at::cross_entropy_loss(scores(features_nC[i]), targets_n[i], {}, at::Reduction::None));
  return at::cat(losses_n).to(at::kDouble).view({tokens_BS.size(0), length}).mean(1);
}

at::Tensor ReferenceModel::logits(const at::Tensor& tokens_BT) {
  const at::NoGradGuard no_grad;
  const at::Tensor features_BTC = features(tokens_BT, {});
  const HeldUnit head = held_head();
  return scores(features_BTC);
}

at::Tensor ReferenceModel::mean_features(const at::Tensor& tokens_BT, std::int64_t layers) {
  const at::NoGradGuard no_grad;
  const arch::StepWork work = arch::first_layers(layers);
  const at::Tensor features_BTC = features(tokens_BT, {.work = &work, .layers = config_.layers});
  return features_BTC.to(at::kDouble).mean(1).to(at::kFloat).cpu();
}

at::Tensor ReferenceModel::read(const at::Tensor& tokens_T, std::int64_t last,
                                KeyValueCache& cache) const {
  const at::NoGradGuard no_grad;
  const std::int64_t length = tokens_T.size(0);
  const at::Tensor x_TC = features(tokens_T.unsqueeze(0), {.cache = &cache})[0];
  cache.set_length(cache.length() + length);
  const HeldUnit head = held_head();
  return scores(x_TC.narrow(0, length - last, last));
}

}  // namespace stagedtrain::model
