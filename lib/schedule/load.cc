// Reads a schedule: parses the document, applies --set edits, reads the fields and checks them
// against each other. Also writes a schedule back as YAML.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "schedule/schedule.h"
#include "schedule/yaml.h"
#include "text/text.h"

namespace stagedtrain::schedule {
namespace {

// Returns the item of a list that a word of a path refers to by its number or by its key `name`, or
// null if there is none.
Tree* find_item(Tree& list, const std::string& word) {
  if (const auto index = parse_count(word))
    return *index >= 0 && *index < static_cast<std::int64_t>(list.items.size())
               ? &list.items[static_cast<std::size_t>(*index)]
               : nullptr;
  for (Tree& item : list.items)
    if (const Tree* name = item.find("name"); name && name->text == word) return &item;
  return nullptr;
}

// Returns a hint for an edit that lacks the equals sign, such as "lr.peak 1e-3" or "lr.peak: 1e-3".
std::string space_hint(const std::string& edit) {
  const std::size_t end = edit.find_first_of(" :");
  if (end == std::string::npos || end == 0) return "";
  const std::string value(trim(std::string_view(edit).substr(end + 1)));
  return value.empty() ? "" : fmt::format("write --set {}={}", edit.substr(0, end), value);
}

// Returns the error for an edit whose path names a missing item of a list, with the existing names.
Error no_such_item(const std::string& edit, const std::string& item, const Tree& list) {
  std::vector<std::string> names;
  for (const Tree& one : list.items)
    if (const Tree* name = one.find("name")) names.push_back(name->text);
  const std::string there =
      names.empty() ? fmt::format("it has {}", list.items.size()) : "there are " + join(names, ", ");
  return usage_error("--set {}: the list has no item '{}'; {}{}", edit, item, there,
                     suggestion(item, names));
}

void apply_edit(Tree& root, const std::string& edit) {
  const std::size_t equals = edit.find('=');
  if (equals == std::string::npos || equals == 0)
    throw usage_error("--set {}: expected path=value, such as lr.peak=1e-3 or stages.full.for=900",
                      edit)
        .with_hint(space_hint(edit));
  const std::vector<std::string> path = split(edit.substr(0, equals), '.');
  Tree value = parse_yaml(edit.substr(equals + 1), "--set " + edit.substr(0, equals));
  Tree* place = &root;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    Tree* next =
        place->kind == Tree::Kind::list ? find_item(*place, path[i]) : place->find(path[i]);
    if (!next && place->kind == Tree::Kind::list)
      throw no_such_item(edit, path[i], *place);
    if (!next && place->kind == Tree::Kind::scalar)
      throw usage_error("--set {}: '{}' is a value, not a group of keys", edit, path[i - 1]);
    if (!next) next = &place->set(path[i], Tree::map());
    place = next;
  }
  if (place->kind == Tree::Kind::list) {
    Tree* item = find_item(*place, path.back());
    if (!item) throw no_such_item(edit, path.back(), *place);
    *item = std::move(value);
  } else if (place->kind == Tree::Kind::scalar) {
    throw usage_error("--set {}: '{}' is a value, not a group of keys", edit,
                      path[path.size() - 2]);
  } else {
    place->set(path.back(), std::move(value));
  }
}

// Returns the value at a path in the document, for the place of an error; if it was not written,
// the innermost value on the path that was.
const Tree& place(const Schedule& s, std::initializer_list<const char*> path) {
  const Tree* at = &s.source;
  for (const char* key : path)
    if (const Tree* next = at->find(key)) at = next;
  return *at;
}

// Throws Error(usage) unless the unit of group.key is one of `units`, which `expected` lists.
void check_unit(const Schedule& s, const Duration& d, const char* group, const char* key,
                std::set<DurationUnit> units, const char* expected) {
  if (!units.contains(d.unit))
    throw place(s, {group, key})
        .error("{}.{}: found '{}', expected {}", group, key, to_string(d), expected);
}

void check_select(const Schedule& s, const SelectSpec& select) {
  for (const auto& [key, d, least] : {std::tuple{"after", select.after, 0.0},
                                      {"every", select.every, 1.0},
                                      {"refresh", select.refresh, 0.0}})
    if (d.unit != DurationUnit::steps || d.amount < least || d.amount > 1e9 ||
        d.amount != std::floor(d.amount))
      throw place(s, {"data", "select", key})
          .error("data.select.{}: found '{}', expected a whole number of steps from {} to 1e9", key,
                 to_string(d), least);
}

void check_durations(const Schedule& s) {
  using enum DurationUnit;
  for (auto [key, d] :
       {std::pair{"warmup", s.lr.warmup}, {"decay", s.lr.decay}, {"rewarm", s.lr.rewarm}}) {
    check_unit(s, d, "lr", key, {steps, tokens, percent}, "steps, tokens or %");
    if (d.unit == percent && d.amount > 100)
      throw place(s, {"lr", key})
          .error("lr.{}: found '{}', expected at most 100%", key, to_string(d));
  }
  if (s.plan.scratch)
    check_unit(s, *s.plan.scratch, "plan", "scratch", {steps, tokens, flops},
               "steps, tokens or flops");
  if (s.plan.mixing)
    check_unit(s, *s.plan.mixing, "plan", "mixing", {steps, tokens}, "steps or tokens");
  check_unit(s, s.evaluate.every, "evaluate", "every", {steps, tokens}, "steps or tokens");
  if (s.sample)
    check_unit(s, s.sample->every, "sample", "every", {steps, tokens}, "steps or tokens");
  check_unit(s, s.checkpoint.every, "checkpoint", "every", {steps, tokens, seconds},
             "steps, tokens or a time (30m)");
  if (s.data.select) check_select(s, *s.data.select);
  const Duration& kept = s.checkpoint.keep.every;
  if (kept.unit != steps || kept.amount != std::floor(kept.amount))
    throw place(s, {"checkpoint", "keep", "every"})
        .error("checkpoint.keep.every: found '{}', expected a whole number of steps",
               to_string(kept));
  for (const Duration& budget : s.scratch.budgets) {
    check_unit(s, budget, "scratch", "budgets", {steps, tokens, flops, percent},
               "%, steps, tokens or flops");
    if (budget.amount <= 0)
      throw place(s, {"scratch", "budgets"})
          .error("scratch.budgets: found '{}', expected more than 0", to_string(budget));
  }
}

// A curve that falls from its start is as long as the run, whose length a time budget decides from
// the speed of the first steps. Only wsd can wait until it has to decay.
void check_budget(const Schedule& s) {
  if (!s.budget) return;
  check_unit(s, s.budget->time, "budget", "time", {DurationUnit::seconds}, "a time (3h, 90m)");
  if (s.budget->time.amount <= 0)
    throw place(s, {"budget", "time"}).error("budget.time: found 0, expected more than 0");
  if (s.lr.curve == "constant")
    throw place(s, {"budget"})
        .error("budget: found lr.curve constant, expected a curve that decays")
        .with_hint("use lr.curve: wsd");
  if (s.lr.curve != "wsd" && s.stages.size() > 1)
    throw place(s, {"budget"})
        .error("budget: found lr.curve {} and {} stages, expected lr.curve wsd", s.lr.curve,
               s.stages.size())
        .with_hint(
            "other curves need the length of the run from the start, and the speed of later "
            "stages is not known then");
}

template <class Refuse>
void check_until(const UntilSpec& until, Refuse refuse) {
  if (!until.loss && until.slope.empty()) refuse("until: is empty, expected loss or slope");
  if (until.slope.empty() || until.slope == "auto") return;
  const auto slope = parse_number(until.slope);
  if (!slope || !(*slope < 0))
    refuse(fmt::format("until.slope: found '{}', expected auto or a number below 0, such as -0.06",
                       until.slope));
}

void check_stage(const Schedule& s, std::size_t i, std::set<std::string>& names) {
  const StageSpec& stage = s.stages[i];
  const Tree& at = place(s, {"stages"}).items[i];
  const auto refuse = [&](const std::string& what) { throw at.error("stages.{}: {}", i, what); };
  if (stage.name.empty() ||
      stage.name.find_first_not_of(
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != std::string::npos)
    refuse(fmt::format("name '{}': expected letters, digits, _ and - (files are named after it)",
                       stage.name));
  constexpr std::size_t kLongestName = 100;  // shorter than a file name may be, for suffixes
  if (stage.name.size() > kLongestName)
    refuse(fmt::format("name: found {} letters, expected at most {} (files are named after it)",
                       stage.name.size(), kLongestName));
  if (!names.insert(stage.name).second) refuse(fmt::format("name '{}' is used twice", stage.name));
  if (stage.length.amount <= 0 && stage.length.unit != DurationUnit::automatic)
    refuse(fmt::format("for: found '{}', expected more than 0", to_string(stage.length)));
  if (stage.length.unit == DurationUnit::percent || stage.length.unit == DurationUnit::seconds)
    refuse(fmt::format("for: found '{}', expected steps, tokens, flops, epochs or auto",
                       at.find("for")->text));
  if (stage.until) check_until(*stage.until, refuse);
  if (i == 0 && stage.grow.kind != Tree::Kind::none && s.from.empty())
    refuse(
        "grow: the first stage has nothing to grow; give from: FILE (the checkpoint that grows), "
        "or remove grow to start from fresh weights");
  if (i > 0 && stage.grow.kind == Tree::Kind::none)
    refuse("grow: is missing; a later stage grows from the previous one");
  if ((i > 0 || stage.grow.kind != Tree::Kind::none) && stage.model.kind != Tree::Kind::none)
    refuse("model: a grown stage's model follows from grow; remove the key");
  if (stage.lr && stage.lr->rewarm && stage.lr->rewarm->unit != DurationUnit::steps &&
      stage.lr->rewarm->unit != DurationUnit::percent &&
      stage.lr->rewarm->unit != DurationUnit::tokens)
    refuse(fmt::format("lr.rewarm: found '{}', expected steps, tokens or %",
                       to_string(*stage.lr->rewarm)));
}

// Throws Error(usage) if optimizer.eps is not a normal number in the optimizer's arithmetic, which
// is fp32, or fp64 if that is the precision. It could become 0 there, and the update of a weight
// whose gradient is 0 would be 0 / 0.
void check_eps(const Schedule& s) {
  const bool fp64 = s.precision == Precision::fp64;
  const double least = fp64 ? std::numeric_limits<double>::min()
                            : static_cast<double>(std::numeric_limits<float>::min());
  if (s.optimizer.eps && *s.optimizer.eps < least)
    throw place(s, {"optimizer", "eps"})
        .error(
            "optimizer.eps: found {:g}, expected at least {:.3g}, the smallest normal number in {}",
            *s.optimizer.eps, least, fp64 ? "fp64" : "fp32");
}

void check_machine(const Schedule& s) {
  constexpr std::int64_t kMost = 1 << 16;
  if (s.machine.nodes > 1 && s.machine.devices == 0)
    throw place(s, {"machine", "nodes"})
        .error("machine.nodes: found {} nodes, expected machine.devices, too: how many each has",
               s.machine.nodes);
  if (s.machine.devices * s.machine.nodes > kMost)
    throw place(s, {"machine", "nodes"})
        .error("machine: found {} x {} devices, expected at most {}", s.machine.nodes,
               s.machine.devices, kMost);
}

void check_parameterization(const Schedule& s) {
  if (!s.parameterization) return;
  if (s.parameterization->scales_depth() && s.optimizer.name == OptimizerName::muon)
    throw place(s, {"parameterization", "base_layers"})
        .error(
            "parameterization.base_layers: found {} with optimizer muon, expected 0: the "
            "multiplier "
            "of residual branches is folded into learning rates of single matrices, which muon "
            "does not have",
            s.parameterization->base_layers)
        .with_hint("leave base_layers out; base_width works with muon");
  if (s.parameterization->final_layers > 0 && !s.parameterization->scales_depth())
    throw place(s, {"parameterization", "final_layers"})
        .error("parameterization.final_layers: found {} without base_layers, expected both or none",
               s.parameterization->final_layers);
}

void validate(const Schedule& s) {
  if (s.optimizer.name != OptimizerName::sgd && s.optimizer.betas.size() != 2)
    throw place(s, {"optimizer", "betas"})
        .error("optimizer.betas: found a list of {}, expected 2 numbers", s.optimizer.betas.size());
  check_eps(s);
  check_machine(s);
  check_parameterization(s);
  if (s.batch.micro > s.batch.sequences)
    throw place(s, {"batch", "micro"})
        .error("batch.micro {} is more than batch.sequences {}", s.batch.micro, s.batch.sequences);
  if (s.batch.size_warmup && s.batch.size_warmup->start > s.batch.sequences)
    throw place(s, {"batch", "size_warmup"})
        .error("batch.size_warmup.start {} is more than batch.sequences {}",
               s.batch.size_warmup->start, s.batch.sequences);
  if (s.batch.length_warmup &&
      (s.model.context == 0 || s.batch.length_warmup->start > s.model.context))
    throw place(s, {"batch", "length_warmup"})
        .error("batch.length_warmup.start {} is more than model.context {}",
               s.batch.length_warmup->start, s.model.context);
  if (s.batch.recompute == Recompute::blocks && s.model.experts > 0 && s.model.router_loss > 0)
    throw place(s, {"batch", "recompute"})
        .error("batch.recompute: blocks does not work for experts with a router_loss above 0")
        .with_hint("set batch.micro to use less memory");
  check_durations(s);
  check_budget(s);
  if (s.sample && s.sample->prompts.empty())
    throw place(s, {"sample", "prompts"})
        .error("sample.prompts: is empty, expected at least one text");
  if (s.stages.empty()) throw place(s, {"stages"}).error("stages: is empty, expected at least one");
  std::set<std::string> names;
  for (std::size_t i = 0; i < s.stages.size(); ++i) check_stage(s, i, names);
}

// Throws Error(usage) for a key outside the group that it belongs to, and for a group that was
// given a value instead of keys. Other unknown keys are refused when the fields are read.
void refuse_misplaced(const Tree& source) {
  constexpr std::pair<const char*, const char*> kMainKeys[] = {
      {"lr", "peak"}, {"batch", "sequences"}, {"evaluate", "every"}, {"checkpoint", "every"}};
  for (const auto& [group, key] : kMainKeys)
    if (const Tree* value = source.find(group); value && value->kind == Tree::Kind::scalar)
      throw value->error("{}: found {}, expected keys and values; did you mean '{}: {{{}: {}}}'?",
                         group, value->describe(), group, key, value->text);
  const std::vector<FieldRow> rows = document();
  const auto is_key = [&](const std::string& path) {
    return std::ranges::find(rows, path, &FieldRow::path) != rows.end();
  };
  for (const TreeEntry& entry : source.entries) {
    const std::size_t dot = entry.key.find('.');
    if (dot == std::string::npos && is_key(entry.key)) continue;
    for (const FieldRow& row : rows)
      if (row.path.ends_with("." + entry.key) && row.path.find("[]") == std::string::npos)
        throw Error(ErrorKind::usage, to_string(entry.mark) +
                                          fmt::format("unknown key '{}'; did you mean '{}'?",
                                                      entry.key, row.path));
    if (dot != std::string::npos && is_key(entry.key.substr(0, dot)))
      throw Error(
          ErrorKind::usage,
          to_string(entry.mark) +
              fmt::format("unknown key '{}'; write '{}: {{{}: ...}}'; dots work only in --set",
                          entry.key, entry.key.substr(0, dot), entry.key.substr(dot + 1)));
  }
}

}  // namespace

Schedule parse(const std::string& text, const std::string& file,
               const std::vector<std::string>& edits) {
  Schedule schedule;
  schedule.source = parse_yaml(text, file);
  for (const std::string& edit : edits) apply_edit(schedule.source, edit);
  if (schedule.source.kind != Tree::Kind::map)
    throw schedule.source
        .error("found {}, expected a schedule of keys and values", schedule.source.describe())
        .with_hint("schedules/ has examples; a key needs a space after its colon");
  schedule.name = Path(file).stem().string();
  refuse_misplaced(schedule.source);
  read_fields(schedule.source, schedule, "");
  settle(schedule.optimizer, schedule.source.find("optimizer"));
  validate(schedule);
  return schedule;
}

Schedule load(const Path& path, const std::vector<std::string>& edits) {
  std::error_code none;
  if (std::filesystem::is_directory(path, none))
    throw usage_error("{}: is a folder, expected a schedule file", path.string())
        .with_hint(std::filesystem::exists(path / "schedule.yaml", none)
                       ? fmt::format("the schedule of this run is {}",
                                     (path / "schedule.yaml").string())
                       : std::string("give the path of a schedule; schedules/ has examples"));
  try {
    return parse(read_text_file(path, std::uint64_t{1} << 20), path.string(), edits);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::input)
      throw Error(ErrorKind::usage, error.what(),
                  "give the path of a schedule; schedules/ has examples");
    throw;
  }
}

std::string dump(const Schedule& schedule) { return to_yaml(write_fields(schedule)); }

// In ModelConfig a size of 0 means that it was not given. Resolving the model refuses that for
// these five sizes, so the reference calls them required. Layers may be 0, but must be written. A
// missing vocab is accepted only if the training tokens record it (plan/data_vocab.h).
std::vector<FieldRow> document() {
  std::vector<FieldRow> rows = document_fields<Schedule>();
  for (FieldRow& row : rows)
    for (const char* size : {"layers", "width", "heads", "vocab", "context"})
      if (row.path == std::string("model.") + size) {
        row.fallback = "required";
        if (row.path == "model.layers") {
          row.doc += "; 0: embeddings, a final norm and a head alone";
          continue;
        }
        row.type.replace(row.type.find("from 0"), 6, "from 1");
      }
  return rows;
}

}  // namespace stagedtrain::schedule
