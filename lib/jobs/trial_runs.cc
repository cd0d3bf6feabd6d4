// Finds the ways to make a growth, writes the files of trial runs, and ranks the results.
#include "jobs/trial_runs.h"

#include <algorithm>
#include <cmath>

#include "grow/operator.h"
#include "learned/learned_growth.h"
#include "runlog/run_log.h"
#include "text/error_bar.h"
#include "text/json.h"
#include "text/shell_word.h"
#include "text/text.h"
#include "text/text_table.h"

namespace stagedtrain::plan {
namespace {

using schedule::Schedule;

// Another way to make one item of a growth's list.
struct Way {
  std::string name;
  Tree item;
  int rank = 0;  // lower ones are tried first
};

Tree item_of(const char* name, const Tree& options) {
  Tree item = Tree::map();
  item.set("operator", Tree::scalar(name));
  for (const TreeEntry& entry : options.entries) item.set(entry.key, entry.value);
  return item;
}

Tree one_option(const char* key, std::int64_t value) {
  Tree options = Tree::map();
  options.set(key, Tree::scalar(std::to_string(value)));
  return options;
}

// Returns the words that an option accepts; none for an option that takes numbers or free text.
std::vector<std::string> words_of_type(const std::string& type) {
  std::vector<std::string> words;
  for (const std::string& part : split(type, ',')) words.emplace_back(trim(part));
  const bool plain = std::ranges::all_of(words, [](const std::string& word) {
    return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == word.npos;
  });
  if (!plain || words.size() < 2) return {};
  return words;
}

// Returns options of sizes that might lead from one model to the other, in the operators' own
// terms.
std::vector<Tree> sizes_between(const arch::ModelConfig& from, const arch::ModelConfig& to) {
  std::vector<Tree> sizes;
  if (to.layers > from.layers) sizes.push_back(one_option("layers", to.layers));
  if (from.layers > 0 && to.layers > from.layers && to.layers % from.layers == 0)
    sizes.push_back(one_option("factor", to.layers / from.layers));
  if (to.width > from.width && to.width % from.width == 0)
    sizes.push_back(one_option("factor", to.width / from.width));
  sizes.push_back(Tree::map());
  return sizes;
}

// Returns the item's recipe, if it makes the model `to`.
std::optional<grow::GrowthRecipe> leads_to(const Tree& item, const arch::ModelConfig& from,
                                           const arch::ModelConfig& to) {
  try {
    grow::GrowthRecipe recipe = grow::make_recipe(Tree::list({item}), from, "");
    if (recipe.to == to) return recipe;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::usage) throw;
  }
  return {};
}

bool equal(const grow::TensorRecipe& a, const grow::TensorRecipe& b) {
  return a.value == b.value && a.gradient == b.gradient && a.is_new == b.is_new &&
         a.lr_scale == b.lr_scale && a.decay_scale == b.decay_scale && a.eps_scale == b.eps_scale &&
         a.ramp_steps == b.ramp_steps;
}

// Whether both recipes make the same state, whatever the names of their operators and options.
// Their runs would end at the same loss to the last digit.
bool equal(const grow::GrowthRecipe& a, const grow::GrowthRecipe& b) {
  return std::ranges::equal(a.steps, b.steps, [](const auto& x, const auto& y) {
    return x.mask_steps == y.mask_steps && x.others == y.others &&
           std::ranges::equal(x.tensors, y.tensors,
                              [](const auto& s, const auto& t) { return equal(s, t); });
  });
}

// Collects ways that make different recipes.
class Ways {
 public:
  // `own` is the schedule's own item.
  Ways(const Tree& own, const arch::ModelConfig& from, const arch::ModelConfig& to)
      : own_(own.find("operator")->text), from_(from), to_(to) {
    add("own", own, 0);
  }
  void add(const std::string& name, const Tree& item, int rank) {
    auto recipe = leads_to(item, from_, to_);
    const auto is_same = [&](const grow::GrowthRecipe& other) { return equal(*recipe, other); };
    if (!recipe || std::ranges::any_of(seen_, is_same)) return;
    seen_.push_back(std::move(*recipe));
    ways_.push_back({name, item, rank});
  }
  // Adds an operator with these sizes, and with each word of each of its options. Returns false if
  // the operator does not make the model `to`.
  bool add_all(const grow::OperatorEntry& entry, const Tree& sizes) {
    const Tree plain = item_of(entry.name, sizes);
    if (!leads_to(plain, from_, to_)) return false;
    add(entry.name, plain, 1);
    for (const FieldRow& row : entry.document()) {
      if (row.path.find('.') != std::string::npos) continue;
      for (const std::string& word : words_of_type(row.type)) {
        Tree item = plain;
        item.set(row.path, Tree::scalar(word));
        add(fmt::format("{}-{}-{}", entry.name, row.path, word), item, entry.name == own_ ? 2 : 3);
      }
    }
    return true;
  }
  const std::vector<Way>& all() const { return ways_; }

 private:
  std::string own_;  // the operator of the schedule's own item
  const arch::ModelConfig &from_, &to_;
  std::vector<grow::GrowthRecipe> seen_;
  std::vector<Way> ways_;
};

std::vector<Way> ways_between(const Tree& own, const arch::ModelConfig& from,
                              const arch::ModelConfig& to) {
  Ways ways(own, from, to);
  for (const grow::OperatorEntry& entry : grow::operators())
    for (const Tree& sizes : sizes_between(from, to))
      if (ways.add_all(entry, sizes)) break;
  return ways.all();
}

Schedule trial_schedule(const RunPlan& plan, const Tree& grow, std::int64_t steps) {
  Schedule s = plan.schedule;
  s.model = plan.stages[1].model;
  if (s.parameterization) s.parameterization = s.model.parameterization;
  s.budget.reset();
  s.stages.resize(2);
  s.source.find("stages")->items.resize(2);
  s.stages[0].length = {static_cast<double>(plan.stages[0].steps), DurationUnit::steps};
  s.stages[0].until.reset();
  s.stages[0].model = Tree::map();
  const Tree small = write_fields(plan.stages[0].model), large = write_fields(s.model);
  for (const TreeEntry& entry : small.entries)
    if (large.find(entry.key)->text != entry.value.text)
      s.stages[0].model.set(entry.key, entry.value);
  s.stages[1].length = {static_cast<double>(steps), DurationUnit::steps};
  s.stages[1].until.reset();
  s.stages[1].grow = grow;
  s.lr.curve = "constant";
  s.lr.warmup = {static_cast<double>(plan.warmup_steps), DurationUnit::steps};
  s.lr.rewarm = {static_cast<double>(plan.stages[1].rewarm_steps), DurationUnit::steps};
  return s;
}

}  // namespace

std::vector<TrialRun> trial_runs(const RunPlan& plan, std::int64_t steps) {
  if (plan.stages.size() < 2)
    throw usage_error(
        "plan --trial-steps: the schedule has one stage, expected a second one that grows");
  const Tree& written = plan.schedule.stages[1].grow;
  std::vector<std::pair<int, TrialRun>> found;
  // In a list of operators one is changed at a time; the models in between stay the same.
  arch::ModelConfig from = plan.stages[0].model;
  for (std::size_t i = 0; i < written.items.size(); ++i) {
    const arch::ModelConfig to = grow::make_recipe(Tree::list({written.items[i]}), from, "").to;
    for (const Way& way : ways_between(written.items[i], from, to)) {
      if (way.name == "own" && i > 0) continue;
      // A growth that needs a fit has to be the only one of its stage.
      if (written.items.size() > 1 &&
          grow::needs_fit(grow::make_recipe(Tree::list({way.item}), from, "")))
        continue;
      Tree grow = written;
      grow.items[i] = way.item;
      found.emplace_back(
          way.rank,
          TrialRun{way.name, grow::make_recipe(grow, plan.stages[0].model, "").operators(),
                   trial_schedule(plan, grow, steps)});
    }
    from = to;
  }
  std::ranges::stable_sort(found, {}, &std::pair<int, TrialRun>::first);
  std::vector<TrialRun> candidates;
  for (auto& [rank, candidate] : found) candidates.push_back(std::move(candidate));
  return candidates;
}

double trial_flops(const std::vector<TrialRun>& candidates) {
  double flops = 0;
  for (const TrialRun& candidate : candidates) {
    const RunPlan run = resolve(candidate.schedule);
    if (flops == 0) flops = run.stages[0].flops;
    flops += run.stages[1].flops + run.stages[1].other_flops();
  }
  return flops;
}

std::vector<TrialFile> trial_files(const std::vector<TrialRun>& candidates, const Path& folder,
                                   const std::string& program) {
  const auto in = [&](const std::string& name) { return shell_word((folder / name).string()); };
  std::vector<TrialFile> files;
  const std::vector<schedule::StageSpec>& stages = candidates.front().schedule.stages;
  const bool share = stages.size() > 1;
  std::string script = fmt::format(
      "#!/bin/sh\n"
      "# Trains every candidate. Run it again to continue where it stopped.\n"
      "set -e\n"
      "train() {{ {} train \"$@\"; }}\n\n",
      shell_word(program));
  if (share)
    script += fmt::format(
        "# the first stage, which all candidates share\ntrain {} --out {} --stage {}\n\n",
        in(candidates.front().name + ".yaml"), in("runs/shared"), stages[0].name);
  for (const TrialRun& candidate : candidates) {
    files.push_back({candidate.name + ".yaml",
                     fmt::format("# a candidate of plan --trial-steps: {}\n{}", candidate.growth,
                                 resolved_yaml(resolve(candidate.schedule)))});
    const std::string run = "runs/" + candidate.name;
    if (share)
      script += fmt::format(
          "if [ ! -e {0} ]; then\n  rm -rf {1} && cp -r {2} {1} && rm {1}/schedule.yaml\n"
          "  mv {1} {0}\nfi\n",
          in(run), in(run + ".part"), in("runs/shared"));
    script += fmt::format("train {} --out {}\n", in(candidate.name + ".yaml"), in(run));
  }
  files.push_back({"run.sh", script});
  return files;
}

std::vector<TrialResult> trial_results(const std::vector<TrialRun>& candidates,
                                       const Path& folder) {
  std::vector<TrialResult> results;
  for (const TrialRun& candidate : candidates) {
    TrialResult result{candidate.name, candidate.growth, runlog::kUnknown, {}, {}};
    const Path log = folder / "runs" / candidate.name / "run.jsonl";
    std::error_code none;
    if (std::filesystem::exists(log, none)) {
      const runlog::Run run = runlog::read_log(log, candidate.name);
      if (!run.growths.empty()) result.loss_after = run.growths.front().loss_after;
      if (run.end && std::isfinite(run.end->loss)) {
        result.loss = run.end->loss;
        result.error = run.end->se;
      }
    }
    results.push_back(std::move(result));
  }
  return results;
}

std::vector<TrialResult> ranked(std::vector<TrialResult> results) {
  std::ranges::stable_sort(results, [](const TrialResult& a, const TrialResult& b) {
    return a.loss && (!b.loss || *a.loss < *b.loss);
  });
  return results;
}

Schedule with_growth(Schedule schedule, const Tree& grow) {
  schedule.stages[1].grow = grow;
  return schedule;
}

std::string to_text(const std::vector<TrialResult>& ranking, std::int64_t steps) {
  std::vector<std::vector<std::string>> rows = {
      {"growth", "right after", fmt::format("after {} steps", grouped(steps)), "to the best"}};
  for (const TrialResult& r : ranking) {
    const auto number = [](double value) {
      return std::isfinite(value) ? fmt::format("{:.4f}", value) : std::string("?");
    };
    rows.push_back({r.name, number(r.loss_after),
                    r.loss ? with_error(*r.loss, *r.error, 4) : "not yet",
                    r.loss ? fmt::format("{:+.4f}", *r.loss - *ranking.front().loss) : ""});
  }
  return text_table(rows, 1, "");
}

Json to_json(const std::vector<TrialResult>& ranking) {
  Json list = Json::array();
  for (const TrialResult& r : ranking)
    list.push_back(
        {{"name", r.name},
         {"growth", r.growth},
         {"loss_after_growth", std::isfinite(r.loss_after) ? Json(r.loss_after) : Json(nullptr)},
         {"loss", r.loss ? Json(*r.loss) : Json(nullptr)},
         {"stderr", r.error ? Json(*r.error) : Json(nullptr)}});
  return list;
}

}  // namespace stagedtrain::plan
