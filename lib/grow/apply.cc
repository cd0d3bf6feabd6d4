// Applies a recipe to a training state, in memory or from file to file, one tensor at a time.
//
// Goal: growing a state that is larger than memory, at the speed of copying a file. grow_tensors
// has a StepView for each operator. A view makes a tensor when it is asked for it, from the tensors
// of the view below it, which makes those in turn; the lowest view reads the source. So a list of
// operators needs one tensor for each of them in memory, and no state in between exists.
//
// Invariants:
// - A tensor's bits do not depend on the path: memory, file and trainer all use fill() (fill.h).
// - Whatever is a plain copy through all operators is never copied in memory: its bytes are the
//   source's own, and apply_file hands them to the writer.
// - Pages of a mapped source are released once the tensors made of them are written.
//
// A growth may read further states (merge, interpolate). They must have the model, the precision
// and the optimizer scales of the state that grows, because the result has one of each.
//
// Rejected: a whole intermediate state for each operator, which would need memory or disk space for
// all of them. Only apply(), in memory, works that way, and frees each tensor after its last use.
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

// Throws Error(usage) if the state's mask still rises. The tensors of a masked model are used in
// part only, and a larger model could not represent that part. `where` is the beginning of the
// message.
void check_mask(const state::StateHeader& header, const std::string& where) {
  const std::int64_t end = header.mask.start + header.mask.steps, now = header.progress.step;
  if (header.mask.steps > 0 && now < end)
    throw usage_error("{}the mask of the growth before rises until step {}; this is step {}", where,
                      end, now)
        .with_hint("let it rise to 1 before the next growth");
}

// Reads the further states of a step.
class OtherStates {
 public:
  // Throws Error(usage) if a file does not hold a state of step.from in this precision, or if its
  // mask still rises.
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
  // Throws Error(usage) if a tensor has other scales than in the state that grows, since the result
  // has only one set for each tensor.
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
  // Returns their histories, with ages as seen by a state that has taken `now` steps.
  std::vector<Histories> histories(std::int64_t now) const {
    std::vector<Histories> all;
    for (const auto& file : files_)
      all.push_back(counted_from(file->header().histories, file->header().progress.step, now));
    return all;
  }
  // Adds the FLOPs and seconds that were spent on them.
  void add_costs(state::Progress& progress) const {
    for (const auto& file : files_) {
      progress.flops += file->header().progress.flops;
      progress.seconds += file->header().progress.seconds;
    }
  }

 private:
  std::vector<std::unique_ptr<state::CheckpointReader>> files_;
};

// Provides the tensors of the state after one step. Each is made when it is requested.
class StepView {
 public:
  // `below` reads the tensors of step.from. `previous` is the view of the step before, if there is
  // one.
  StepView(const GrowthStep& step, DType dtype, StateView below, StepView* previous)
      : step_(step),
        dtype_(dtype),
        sources_(arch::param_table(step.from)),
        targets_(arch::param_table(step.to)),
        others_(step, dtype),
        below_(std::move(below)),
        previous_(previous) {}

  // Returns a tensor, valid until the next call. A plain copy is returned as the source's own
  // bytes.
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

  // Returns the same, for the caller to keep.
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

// Counts how often each source tensor is still to be read.
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
  std::vector<std::pair<Kind, std::size_t>> read;  // those that were read for the current tensor
  const StateView view = [&](Kind kind, std::size_t i) {
    read.emplace_back(kind, i);
    return from.view(kind, i);
  };
  state::CheckpointWriter writer(
      target, grown_header(recipe, from.header(), source_path.string(), from.identity()), replace);
  const auto write = [&](Kind kind, std::size_t i, MadeTensor made) {
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
  grow_tensors(recipe, from.header().dtype, view, write);
  writer.commit();
}

}  // namespace stagedtrain::grow
