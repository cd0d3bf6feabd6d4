// A fit is a small training run of its own: the model is made anew from the maps in every step, and
// its gradient is pulled back to them (apply/map_product.h).
#include "train/map_fit.h"

#include <cmath>

#include "apply/apply.h"
#include "apply/map_product.h"
#include "base/stopwatch.h"
#include "grow/learned_growth.h"
#include "optim/gradients.h"
#include "plan/map_fit.h"
#include "text/text.h"
#include "train/batch_feed.h"
#include "train/shared_evaluation.h"

namespace stagedtrain::train {
namespace {

template <class T>
std::span<const T> values_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

class Fit {
 public:
  Fit(RunContext& run, const plan::StagePlan& stage, DeviceState& from, grow::GrowthRecipe& recipe)
      : run_(run),
        from_(from),
        recipe_(recipe),
        step_(recipe.steps.front()),
        cost_(plan::fit_cost(run.plan.schedule, recipe)),
        sources_(arch::param_table(recipe.from)),
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
    for (std::int64_t step = 0; step < step_.fit.steps; ++step) {
      run_.ranks.stop_point("fitting maps");
      run_.ranks.stands(fmt::format("fitting the growth into stage {}, step {}", stage_, step + 1));
      last = take_step(step);
      if (step == 0) first = last;
    }
    step_.fit.done = true;
    const double seconds = run_.ranks.from_first(seconds_since(start));
    return count(before, first, last, seconds);
  }

 private:
  // Returns the mean loss of the batch, before the step.
  double take_step(std::int64_t step) {
    if (step > 0) make_weights();
    const DeviceBatch batch = feed_.take({cost_.sequences, recipe_.to.context});
    const std::int64_t rows = rows_of_pass(run_.plan, batch.rows(), 1, run_.ranks.size());
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

  // Makes the larger model's weights with the maps as they are now.
  void make_weights() {
    constexpr state::TensorKind kWeights[] = {state::TensorKind::weights};
    at::Tensor room;
    grow::grow_tensors(
        recipe_, from_.header.dtype, kWeights,
        [&](state::TensorKind kind, std::size_t i) {
          return from_.model->params().get(kind, i, room);
        },
        [&](state::TensorKind kind, std::size_t i, std::span<const std::byte> bytes) {
          model_->params().set(kind, i, bytes);
        });
    model_->weights_changed();
  }

  void move_maps() {
    grow::MapGradients gradients = grow::zero_gradients(step_.maps);
    if (from_.header.dtype == state::DType::f32) {
      pull_back<float>(gradients);
    } else {
      pull_back<double>(gradients);
    }
    adam_.step(step_.maps, gradients, step_.fit.lr);
  }

  template <class T>
  void pull_back(grow::MapGradients& gradients) {
    model::ParamBuffer& params = model_->params();
    at::Tensor room;
    const grow::SourceValues<T> source = [&](std::size_t i) {
      return values_of<T>(from_.model->params().get(state::TensorKind::weights, i, room));
    };
    for (std::size_t i = 0; i < params.table().size(); ++i) {
      const std::optional<grow::MapProduct>& product = step_.tensors[i].product;
      if (!product) continue;
      const at::Tensor gradient = params.view(params.grads(), i).cpu().contiguous();
      const grow::SizedProduct sized{*product, step_.maps,
                                     grow::corner_of(sources_[product->sources.front()]),
                                     grow::corner_of(params.table()[i])};
      grow::pull_back<T>(
          sized, source,
          {gradient.template data_ptr<T>(), static_cast<std::size_t>(gradient.numel())}, gradients);
    }
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
    run_.line.say(fmt::format(
        "fitted the maps of the growth into {} in {} steps: loss {:.4f} -> {:.4f} on a validation "
        "batch; {} tokens, {} FLOPs, {}",
        stage_, grouped(step_.fit.steps), before, after, grouped(cost_.tokens),
        short_count(cost_.flops), short_seconds(seconds)));
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
  arch::ParamTable sources_;
  std::unique_ptr<model::Model> model_;
  BatchFeed feed_;
  StepGradient gradient_;
  grow::MapAdam adam_;
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
