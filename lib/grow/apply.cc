// Running a recipe: in memory or from file to file.
#include "grow/apply.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "arch/architectures.h"
#include "base/signals.h"
#include "grow/histories.h"

namespace stagedtrain::grow {
namespace {

using state::DType;
using state::HostTensor;
using state::Kind;

// Refuses a state whose mask still rises: the tensors of a growth stand for what they will be, and
// nothing could show them in part. where: what comes before the message.
void check_mask(const state::StateHeader& header, const std::string& where) {
  const std::int64_t end = header.mask.start + header.mask.steps, now = header.progress.step;
  if (header.mask.steps > 0 && now < end)
    throw usage_error("{}the mask of the growth before rises until step {}; this is step {}", where,
                      end, now)
        .with_hint("let it rise to 1 before the next growth");
}

// The further states of a step, open.
class OtherStates {
 public:
  // Throws Error(usage) if a file is no state of step.from in this precision, or cannot be grown.
  OtherStates(const GrowthStep& step, DType dtype) {
    for (const std::string& path : step.others) {
      files_.push_back(std::make_unique<state::CheckpointReader>(path));
      const state::StateHeader& header = files_.back()->header();
      if (!(header.model == step.from))
        throw usage_error("{}: holds {}, expected {}", path, describe(header.model),
                          describe(step.from));
      if (header.dtype != dtype)
        throw usage_error("{}: holds {}, expected {}", path, dtype_name(header.dtype),
                          dtype_name(dtype));
      check_mask(header, path + ": ");
    }
  }
  std::span<const std::byte> view(std::size_t state, Kind kind, std::size_t tensor) const {
    return files_[state - 1]->view(kind, tensor);
  }
  // Throws Error(usage) where a tensor's steps have another scale than in the state that grows: the
  // result has one for each tensor.
  void check_scales(const GrowthStep& step, const Histories& from) const {
    const arch::ParamTable table = arch::param_table(step.from);
    for (std::size_t s = 0; s < files_.size(); ++s)
      for (std::size_t i = 0; i < from.size(); ++i) {
        const state::TensorHistory& other = files_[s]->header().histories[i];
        if (other.lr_scale != from[i].lr_scale || other.decay_scale != from[i].decay_scale ||
            other.eps_scale != from[i].eps_scale)
          throw usage_error(
              "{}: {} has a learning-rate scale of {}, in the state that grows {}; expected the "
              "same scales of learning rate, decay and eps",
              step.others[s], table[i].name, other.lr_scale, from[i].lr_scale)
              .with_hint(
                  "only one of the two states was grown with dynamics: exact; grow both, or "
                  "neither, in that way");
      }
  }
  // Their histories, with ages as a state sees them that has made `now` steps.
  std::vector<Histories> histories(std::int64_t now) const {
    std::vector<Histories> all;
    for (const auto& file : files_)
      all.push_back(counted_from(file->header().histories, file->header().progress.step, now));
    return all;
  }
  // What they cost.
  void add_costs(state::Progress& progress) const {
    for (const auto& file : files_) {
      progress.flops += file->header().progress.flops;
      progress.seconds += file->header().progress.seconds;
    }
  }

 private:
  std::vector<std::unique_ptr<state::CheckpointReader>> files_;
};

// The state after one step, seen tensor by tensor; each is made when it is asked for.
class StepView {
 public:
  // below: what step.from is read by; previous: the step whose view that is, if it is one.
  StepView(const GrowthStep& step, DType dtype, StateView below, StepView* previous)
      : step_(step),
        dtype_(dtype),
        sources_(arch::param_table(step.from)),
        targets_(arch::param_table(step.to)),
        others_(step, dtype),
        below_(std::move(below)),
        previous_(previous) {}

  // Valid until the next call. A tensor that is a plain copy is the source's own.
  std::span<const std::byte> view(Kind kind, std::size_t i) {
    const TensorRecipe& made = step_.tensors[i];
    if (const Block* block = plain_copy(made, targets_[i], sources_, kind))
      return source(block->state, kind, block->source);
    if (!is_made_ || kind != kind_ || i != index_) {
      made_ = HostTensor();
      made_ =
          fill(made, targets_[i], sources_, kind, dtype_,
               [this](std::size_t state, Kind k, std::size_t t) { return source(state, k, t); });
      is_made_ = true;
      kind_ = kind;
      index_ = i;
    }
    return std::as_const(made_).bytes();
  }

  // The same, the caller's to keep.
  MadeTensor take(Kind kind, std::size_t i) {
    const Block* block = plain_copy(step_.tensors[i], targets_[i], sources_, kind);
    if (block && block->state == 0 && previous_) return previous_->take(kind, block->source);
    const std::span<const std::byte> bytes = view(kind, i);
    if (block) return {bytes, {}, block->state == 0};
    is_made_ = false;
    return {bytes, std::move(made_), false};
  }

 private:
  std::span<const std::byte> source(std::size_t state, Kind kind, std::size_t tensor) {
    return state == 0 ? below_(kind, tensor) : others_.view(state, kind, tensor);
  }

  const GrowthStep& step_;
  DType dtype_;
  arch::ParamTable sources_, targets_;
  OtherStates others_;
  StateView below_;
  StepView* previous_;
  HostTensor made_;
  bool is_made_ = false;
  Kind kind_ = Kind::weights;
  std::size_t index_ = 0;
};

// How often each source tensor is still to be read.
std::vector<int> count_uses(const GrowthStep& step, Kind kind, std::size_t sources) {
  std::vector<int> uses(sources, 0);
  for (const TensorRecipe& made : step.tensors)
    for (const Block& block : blocks_of(made, kind)) ++uses[block.source];
  return uses;
}

void apply_step(const GrowthStep& step, state::TrainingState& from, state::TrainingState& to) {
  const arch::ParamTable sources = arch::param_table(step.from),
                         targets = arch::param_table(step.to);
  const DType dtype = from.of(Kind::weights)[0].dtype();
  const OtherStates others(step, dtype);
  const SourceView view = [&](std::size_t state, Kind kind, std::size_t i) {
    return state == 0 ? std::as_const(from.of(kind)[i]).bytes() : others.view(state, kind, i);
  };
  for (const Kind kind : state::kKinds) {
    std::vector<int> uses = count_uses(step, kind, sources.size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      stop_point("growing");
      const TensorRecipe& made = step.tensors[i];
      to.of(kind).push_back(fill(made, targets[i], sources, kind, dtype, view));
      for (const Block& block : blocks_of(made, kind))
        if (--uses[block.source] == 0) from.of(kind)[block.source] = HostTensor();
    }
  }
}

}  // namespace

void grow_tensors(const GrowthRecipe& recipe, DType dtype, const StateView& source,
                  const TensorUse& use) {
  std::vector<std::unique_ptr<StepView>> views;
  StateView below = source;
  for (const GrowthStep& step : recipe.steps) {
    StepView* previous = views.empty() ? nullptr : views.back().get();
    views.push_back(std::make_unique<StepView>(step, dtype, below, previous));
    below = [view = views.back().get()](Kind kind, std::size_t i) { return view->view(kind, i); };
  }
  const std::size_t count = arch::param_table(recipe.to).size();
  for (const Kind kind : state::kKinds)
    for (std::size_t i = 0; i < count; ++i) {
      stop_point("growing");
      use(kind, i, views.back()->take(kind, i));
    }
}

state::StateHeader grown_header(const GrowthRecipe& recipe, const state::StateHeader& from,
                                const std::string& source, const std::string& source_crc) {
  ST_CHECK(recipe.from == from.model, "recipe for {}, state of {}", describe(recipe.from),
           describe(from.model));
  const std::int64_t now = from.progress.step;
  check_mask(from, "");
  state::StateHeader to = from;
  to.model = recipe.to;
  to.mask = {};
  to.lineage.push_back({source, source_crc, recipe.operators(), now, from.model});
  const auto generation = static_cast<std::int64_t>(to.lineage.size());
  for (const GrowthStep& step : recipe.steps) {
    const OtherStates others(step, from.dtype);
    others.check_scales(step, to.histories);
    std::vector<Histories> states = others.histories(now);
    states.insert(states.begin(), std::move(to.histories));
    to.histories = grown_histories(step, states, now, generation);
    if (step.mask_steps > 0) to.mask = {now, step.mask_steps};
    others.add_costs(to.progress);
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
  std::vector<std::pair<Kind, std::size_t>> read;  // for the tensor being made
  const StateView view = [&](Kind kind, std::size_t i) {
    read.emplace_back(kind, i);
    return from.view(kind, i);
  };
  state::CheckpointWriter writer(
      target, grown_header(recipe, from.header(), source_path.string(), from.identity()), replace);
  const auto write = [&](Kind kind, std::size_t i, MadeTensor made) {
    // Pages of the source leave memory once they were used.
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
  grow_tensors(recipe, from.header().dtype, view, write);
  writer.commit();
}

}  // namespace stagedtrain::grow
