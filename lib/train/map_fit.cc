// A fit is a small training run of its own: the model is made anew from the maps in every step, and
// its gradient is pulled back to them (map_gradient.h).
#include "train/map_fit.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "apply/apply.h"
#include "base/stopwatch.h"
#include "learned/learned_growth.h"
#include "optim/gradients.h"
#include "optim/map_gradient.h"
#include "plan/map_fit.h"
#include "replicas/batch_feed.h"
#include "scoring/shared_evaluation.h"
#include "text/counted.h"
#include "text/json.h"
#include "text/text.h"

namespace stagedtrain::train {
namespace {

// Matrix products on a CPU have the same bits for any number of threads if they use one. They are
// small beside those of the model.
class OneThread {
 public:
  explicit OneThread(const at::Device& device) : before_(at::get_num_threads()) {
    if (device.is_cpu()) at::set_num_threads(1);
  }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

class Fit {
 public:
  Fit(RunContext& run, const plan::StagePlan& stage, DeviceState& from, grow::GrowthRecipe& recipe)
      : run_(run),
        from_(from),
        recipe_(recipe),
        step_(recipe.steps.front()),
        cost_(plan::fit_cost(run.plan.schedule, recipe)),
        model_(model::make_model(recipe.to, from.options)),
        feed_({run.data.train,
               recipe.to.context,
               recipe.to.vocab,
               {static_cast<std::uint64_t>(run.plan.schedule.seed), from.header.data.index}},
              from.options.device,
              [this] { run_.data.train->check_unchanged(run_.data.train_fingerprint); }),
        gradient_(run.ranks),
        adam_(step_.maps),
        stage_(stage.name) {}

  Json run() {
    const double before = validation_loss();
    double first = 0, last = 0;
    const auto start = std::chrono::steady_clock::now();
    auto said = start;
    for (std::int64_t step = 0; step < step_.fit.steps; ++step) {
      run_.ranks.stop_point("fitting maps");
      run_.ranks.set_phase(
          fmt::format("fitting the growth into stage {}, step {}", stage_, step + 1));
      last = take_step(step);
      if (step == 0) first = last;
      if (seconds_since(said) < run_.plan.schedule.log.seconds) continue;
      said = std::chrono::steady_clock::now();
      run_.line.print(fmt::format("fitting the growth into {}: step {} of {}, loss {:.4f}", stage_,
                                  grouped(step + 1), grouped(step_.fit.steps), last));
    }
    step_.fit.done = true;
    const double seconds = run_.ranks.from_first(seconds_since(start));
    return count(before, first, last, seconds);
  }

 private:
  // Returns the mean loss of the batch, before the step.
  double take_step(std::int64_t step) {
    const DeviceBatch batch = feed_.take({cost_.sequences, recipe_.to.context});
    const std::int64_t rows =
        rows_of_pass(run_.plan.schedule.batch, batch.rows(), 1, run_.ranks.size());
    const GradientPasses passes{rows, static_cast<std::uint64_t>(run_.plan.schedule.seed),
                                from_.header.progress.step + step};
    const double loss = gradient_.add_up(*model_, batch.tokens_BS, passes).template item<double>();
    if (!std::isfinite(loss))
      throw run_.ranks.agreed(
          make_error(ErrorKind::diverged,
                     "the fit of the growth into stage {}: diverged: the loss of step {} is {}",
                     stage_, step + 1, loss)
              .with_hint("give fit.lr a smaller value"));
    move_maps();
    model_->params().grads().zero_();
    from_.header.data.index = batch.next;
    return loss;
  }

  // Makes every weight of the larger model as the growth will.
  void make_weights() {
    constexpr state::TensorKind kWeights[] = {state::TensorKind::weights};
    at::Tensor buffer;
    grow::grow_tensors(
        recipe_, from_.header.dtype, kWeights,
        [&](state::TensorKind kind, std::size_t i) {
          return from_.model->params().get(kind, i, buffer);
        },
        [&](state::TensorKind kind, std::size_t i, std::span<const std::byte> bytes) {
          model_->params().set(kind, i, bytes);
        });
    model_->weights_changed();
  }

  void move_maps() {
    const OneThread same_bits(from_.options.device);
    const at::NoGradGuard no_grad;
    model::ParamBuffer &params = model_->params(), &old = from_.model->params();
    const SourceTensor source = [&](std::size_t i) { return old.view(old.weights(), i); };
    MapGradients gradients = zero_gradients(step_.maps);
    for (std::size_t i = 0; i < step_.tensors.size(); ++i)
      for (const grow::MapProduct& product : step_.tensors[i].products)
        pull_back(product, step_.maps, source, params.view(params.grads(), i), gradients);
    adam_.step(step_.maps, gradients, step_.fit.lr);
    for (std::size_t i = 0; i < step_.tensors.size(); ++i)
      if (const auto& products = step_.tensors[i].products; !products.empty())
        train::make_weights(products, step_.maps, source, params.view(params.weights(), i));
    model_->weights_changed();
  }

  double validation_loss() {
    make_weights();
    return batch_loss(run_, *model_);
  }

  Json count(double before, double first, double last, double seconds) {
    state::Progress& progress = from_.header.progress;
    progress.tokens += cost_.tokens;
    progress.flops += cost_.flops;
    progress.seconds += seconds;
    const double after = validation_loss();
    run_.line.print(fmt::format(
        "fitted the maps of the growth into {} in {}: loss {:.4f} -> {:.4f} on a validation "
        "batch; {} tokens, {} FLOPs, {}",
        stage_, counted(step_.fit.steps, "step"), before, after, grouped(cost_.tokens),
        short_count(cost_.flops), short_seconds(seconds)));
    if (after > before)
      run_.line.print(fmt::format(
          "warning: the fit has raised the loss of the growth into {}: fit.lr {} is too high; give "
          "it a smaller value, or fit.steps 0, which keeps the maps as they begin",
          stage_, format_number(step_.fit.lr)));
    Json event = place_event("fit", progress);
    event.update({{"stage", stage_},
                  {"fit_steps", step_.fit.steps},
                  {"fit_tokens", cost_.tokens},
                  {"fit_flops", cost_.flops},
                  {"fit_seconds", seconds},
                  {"first_loss", first},
                  {"last_loss", last},
                  {"loss_before", before},
                  {"loss_after", after}});
    return event;
  }

  RunContext& run_;
  DeviceState& from_;
  grow::GrowthRecipe& recipe_;
  grow::GrowthStep& step_;
  plan::FitCost cost_;
  std::unique_ptr<model::Model> model_;
  BatchFeed feed_;
  StepGradient gradient_;
  MapAdam adam_;
  std::string stage_;
};

}  // namespace

std::optional<Json> fit_maps(RunContext& run, const plan::StagePlan& stage, DeviceState& from,
                             grow::GrowthRecipe& recipe) {
  if (!grow::needs_fit(recipe)) return {};
  ST_CHECK(recipe.steps.size() == 1, "a fit in a growth of {} operators", recipe.steps.size());
  return Fit(run, stage, from, recipe).run();
}

}  // namespace stagedtrain::train
