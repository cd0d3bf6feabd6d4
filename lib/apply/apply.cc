// Applies a recipe to a training state, in memory or from file to file, one tensor at a time.
//
// Goal: to grow a state that is larger than memory, at the speed of copying a file. grow_tensors
// stacks one StepView per operator. A view makes a tensor on demand from the tensors of the view
// below it, which makes those on demand in turn; the lowest view reads the source. So a list of
// operators needs one tensor per operator in memory, and no intermediate state exists.
//
// Invariants:
// - The bits of a tensor do not depend on where it is made: memory, file and trainer all use fill()
//   (fill.h).
// - A tensor that is a plain copy through all operators is never copied in memory: its bytes are
//   the source's own, and apply_file passes them to the writer.
// - Pages of a mapped source are released once the tensors made from them are written.
//
// A growth may read further states (merge, interpolate). They must have the model, the precision
// and the optimizer scales of the state that grows, because the result has one of each.
//
// Rejected: a whole intermediate state per operator, which needs memory or disk space for each.
// Only apply(), which works in memory, does that, and it frees each tensor after its last use.
#include "apply/apply.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "apply/histories.h"
#include "arch/architectures.h"
#include "base/signals.h"
#include "learned/learned_growth.h"

namespace stagedtrain::grow {
namespace {

using state::DType;
using state::HostTensor;
using state::TensorKind;

// Throws Error(usage) if the state's mask still rises. While it does, the new parts count only in
// part, which the weights of a larger model could not express. `where` starts the message.
void check_mask(const state::StateHeader& header, const std::string& where) {
  const std::int64_t end = header.mask.start + header.mask.steps, now = header.progress.step;
  if (header.mask.steps > 0 && now < end)
    throw usage_error("{}the mask of the previous growth rises until step {}; this is step {}",
                      where, end, now)
        .with_hint("train until the mask has risen to 1 before the next growth");
}

// The further states of a step, whose checkpoints stay open.
class OtherStates {
 public:
  // Throws Error(usage) if a checkpoint holds another model than step.from or another precision, or
  // if its mask still rises, or, with ema, if it has no average of the weights.
  OtherStates(const GrowthStep& step, DType dtype, bool ema) {
    for (const std::string& path : step.others) {
      files_.push_back(std::make_unique<state::CheckpointReader>(path));
      const state::StateHeader& header = files_.back()->header();
      if (!(header.model == step.from))
        throw usage_error("{}: holds {}, expected {}", path, describe(header.model),
                          describe(step.from));
      if (header.dtype != dtype)
        throw usage_error("{}: holds {}, expected {}", path, dtype_name(header.dtype),
                          dtype_name(dtype));
      if (ema && !header.ema)
        throw usage_error(
            "{}: has no moving average of the weights, but the state that grows has one; expected "
            "it in both",
            path)
            .with_hint("give both runs the same ema");
      check_mask(header, path + ": ");
    }
  }
  std::span<const std::byte> view(std::size_t state, TensorKind kind, std::size_t tensor) const {
    return files_[state - 1]->view(kind, tensor);
  }
  // Throws Error(usage) if a tensor has other optimizer scales than in the state that grows
  // (`from`), because the result has only one set of scales per tensor.
  void check_scales(const GrowthStep& step, const Histories& from) const {
    const arch::ParamTable table = arch::param_table(step.from);
    for (std::size_t s = 0; s < files_.size(); ++s)
      for (std::size_t i = 0; i < from.size(); ++i) {
        const state::TensorHistory& other = files_[s]->header().histories[i];
        if (other.lr_scale != from[i].lr_scale || other.decay_scale != from[i].decay_scale ||
            other.eps_scale != from[i].eps_scale)
          throw usage_error(
              "{}: {} has a learning-rate scale of {}, but {} in the state that grows; expected "
              "the same scales of learning rate, decay and eps in both",
              step.others[s], table[i].name, other.lr_scale, from[i].lr_scale)
              .with_hint(
                  "only one of the two states was grown with dynamics: exact; use it for both or "
                  "for neither");
      }
  }
  // Returns their histories on the clock of a state that has taken `now` steps (counted_from).
  std::vector<Histories> histories(std::int64_t now) const {
    std::vector<Histories> all;
    for (const auto& file : files_)
      all.push_back(counted_from(file->header().histories, file->header().progress.step, now));
    return all;
  }
  // Adds the FLOPs and seconds that were spent on these states to those of `grown`, except on its
  // ancestors, whose costs it has already (interpolate goes back to an earlier stage).
  void add_costs(state::StateHeader& grown) const {
    for (const auto& file : files_) {
      const auto is_file = [&](const state::LineageEntry& ancestor) {
        return ancestor.source_crc == file->identity();
      };
      if (std::ranges::any_of(grown.lineage, is_file)) continue;
      grown.progress.flops += file->header().progress.flops;
      grown.progress.seconds += file->header().progress.seconds;
    }
  }

 private:
  std::vector<std::unique_ptr<state::CheckpointReader>> files_;
};

// Provides the tensors of the state after one step. Each is made on demand.
class StepView {
 public:
  // `below` reads the tensors of the state before this step. `previous` is the view of the previous
  // step, or null for the first. `step` and `previous` must outlive this view.
  StepView(const GrowthStep& step, DType dtype, bool ema, StateView below, StepView* previous)
      : step_(step),
        dtype_(dtype),
        sources_(arch::param_table(step.from)),
        targets_(arch::param_table(step.to)),
        others_(step, dtype, ema),
        below_(std::move(below)),
        previous_(previous) {}

  // Returns the bytes of a tensor, valid until the next call. Those of a plain copy are the
  // source's own.
  std::span<const std::byte> view(TensorKind kind, std::size_t i) {
    if (const TensorBlock* block = plain_copy(step_.tensors[i], targets_[i], sources_, kind))
      return source(block->state, kind, block->source);
    if (!is_made_ || kind != kind_ || i != index_) {
      made_ = HostTensor();
      made_ = fill(
          step_, i, targets_[i], sources_, kind, dtype_,
          [this](std::size_t state, TensorKind k, std::size_t t) { return source(state, k, t); },
          predictions_);
      is_made_ = true;
      kind_ = kind;
      index_ = i;
    }
    return std::as_const(made_).bytes();
  }

  // Returns the same tensor and passes ownership of it to the caller, unless it is a plain copy.
  MadeTensor take(TensorKind kind, std::size_t i) {
    const TensorBlock* block = plain_copy(step_.tensors[i], targets_[i], sources_, kind);
    if (block && block->state == 0 && previous_) return previous_->take(kind, block->source);
    const std::span<const std::byte> bytes = view(kind, i);
    if (block) return {bytes, {}, block->state == 0};
    is_made_ = false;
    return {bytes, std::move(made_), false};
  }

 private:
  std::span<const std::byte> source(std::size_t state, TensorKind kind, std::size_t tensor) {
    return state == 0 ? below_(kind, tensor) : others_.view(state, kind, tensor);
  }

  const GrowthStep& step_;
  DType dtype_;
  arch::ParamTable sources_, targets_;
  OtherStates others_;
  StateView below_;
  StepView* previous_;
  Predictions predictions_;
  HostTensor made_;
  bool is_made_ = false;
  TensorKind kind_ = TensorKind::weights;
  std::size_t index_ = 0;
};

// Returns how many blocks and terms of products read each source tensor.
std::vector<int> count_uses(const GrowthStep& step, TensorKind kind, std::size_t sources) {
  std::vector<int> uses(sources, 0);
  for (const TensorRecipe& made : step.tensors)
    for_each_source(made, kind, [&](std::size_t source) { ++uses[source]; });
  return uses;
}

void apply_step(const GrowthStep& step, state::TrainingState& from, state::TrainingState& to) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  const DType dtype = from.of(TensorKind::weights)[0].dtype();
  const OtherStates others(step, dtype, from.has_ema());
  const SourceView view = [&](std::size_t state, TensorKind kind, std::size_t i) {
    return state == 0 ? std::as_const(from.of(kind)[i]).bytes() : others.view(state, kind, i);
  };
  Predictions predictions;
  for (const TensorKind kind : state::tensor_kinds(from.has_ema())) {
    std::vector<int> uses = count_uses(step, kind, sources.size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      stop_point("growing");
      to.of(kind).push_back(fill(step, i, targets[i], sources, kind, dtype, view, predictions));
      for_each_source(step.tensors[i], kind, [&](std::size_t source) {
        if (--uses[source] == 0) from.of(kind)[source] = HostTensor();
      });
    }
  }
}

}  // namespace

void grow_tensors(const GrowthRecipe& recipe, DType dtype, std::span<const TensorKind> kinds,
                  const StateView& source, const TensorUse& use) {
  const bool ema = std::ranges::find(kinds, TensorKind::ema) != kinds.end();
  std::vector<std::unique_ptr<StepView>> views;
  StateView below = source;
  for (const GrowthStep& step : recipe.steps) {
    StepView* previous = views.empty() ? nullptr : views.back().get();
    views.push_back(std::make_unique<StepView>(step, dtype, ema, below, previous));
    below = [view = views.back().get()](TensorKind kind, std::size_t i) {
      return view->view(kind, i);
    };
  }
  const std::size_t count = arch::param_table(recipe.to).size();
  for (const TensorKind kind : kinds)
    for (std::size_t i = 0; i < count; ++i) {
      stop_point("growing");
      use(kind, i, views.back()->take(kind, i));
    }
}

state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc) {
  ST_CHECK(recipe.from == from.model, "recipe for {}, state of {}", describe(recipe.from),
           describe(from.model));
  ST_CHECK(!needs_fit(recipe), "the maps of {} are not fitted", recipe.operators());
  const std::int64_t now = from.progress.step;
  check_mask(from, "");
  state::StateHeader to = from;
  to.model = recipe.to;
  to.mask = {};
  to.adapters = {};  // the weights contain them
  to.lineage.push_back({source, source_crc, recipe.operators(), now, from.model});
  const auto generation = static_cast<std::int64_t>(to.lineage.size());
  for (const GrowthStep& step : recipe.steps) {
    const OtherStates others(step, from.dtype, from.ema);
    others.check_scales(step, to.histories);
    std::vector<Histories> states = others.histories(now);
    states.insert(states.begin(), std::move(to.histories));
    to.histories = grown_histories(step, states, now, generation);
    if (step.mask_steps > 0) to.mask = {now, step.mask_steps};
    others.add_costs(to);
  }
  return to;
}

state::TrainingState apply(const GrowthRecipe& recipe, state::TrainingState from,
                           const std::string& source, const std::string& source_crc) {
  const state::StateHeader header = grown_header(recipe, header_of(from), source, source_crc);
  for (const GrowthStep& step : recipe.steps) {
    state::TrainingState to = state_of(header);
    apply_step(step, from, to);
    from = std::move(to);
  }
  return from;
}

void apply_file(const GrowthRecipe& recipe, const state::CheckpointReader& from,
                const Path& source_path, const Path& target, Replace replace) {
  std::vector<std::pair<TensorKind, std::size_t>> read;  // source tensors read for the current one
  const StateView view = [&](TensorKind kind, std::size_t i) {
    read.emplace_back(kind, i);
    return from.view(kind, i);
  };
  state::CheckpointWriter writer(
      target, grown_header(recipe, from.header(), source_path.string(), from.identity()), replace);
  // The weights contain the adapters, so nothing is made of them. They are verified all the same:
  // the lineage names the source by its identity, which covers the whole file.
  const std::size_t adapters = from.header().adapters.matrices.size() * arch::kNumAdapterParts;
  for (std::size_t i = 0; i < adapters; ++i) from.view_adapter(i);
  const auto write = [&](TensorKind kind, std::size_t i, MadeTensor made) {
    // Releases the pages of the source once the tensor is written.
    const auto release = [&from, used = std::move(read)](const void*) {
      for (const auto& [k, tensor] : used) from.release(k, tensor);
    };
    const std::shared_ptr<const void> pages(&from, release);
    read.clear();
    if (made.of_source) {
      writer.write(kind, i, made.bytes, pages);
    } else if (made.own.count() > 0) {
      writer.write(kind, i, std::move(made.own));
    } else {
      writer.write(kind, i, made.bytes);
    }
  };
  grow_tensors(recipe, from.header().dtype, from.header().kinds(), view, write);
  writer.commit();
}

}  // namespace stagedtrain::grow
