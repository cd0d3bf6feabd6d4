// Implements `stagedtrain grow`: grows a checkpoint into a larger one.
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "apply/apply.h"
#include "base/stopwatch.h"
#include "cmd/commands.h"
#include "cmd/engine.h"
#include "cmd/operators_help.h"
#include "cmd/output.h"
#include "data/token_file.h"
#include "grow/operator.h"
#include "grow/recipe_json.h"
#include "io/same_file.h"
#include "learned/learned_growth.h"
#include "plan/data_vocab.h"
#include "plan/run_plan.h"
#include "schedule/yaml.h"
#include "text/json.h"
#include "text/text.h"
#include "tokenizers/same_tokenizer.h"

namespace stagedtrain::cmd {
namespace {

struct GrowArguments {
  std::string source, target, name, schedule, stage, tokens;
  train::DeviceRequest device;  // for --verify
  std::vector<std::string> edits;
  std::map<std::string, std::string> options;  // the operator's options, keyed by path
  bool dry_run = false, force = false, list = false, json = false;
};

// A list of operators, and its path in the schedule for errors.
struct RequestedGrowth {
  Tree list;
  std::string path;
  std::optional<arch::ModelConfig> from;  // the only model that it can grow, if known
};

// ---- What is grown.

// Returns the row of an option. Throws if the operator has no such option.
FieldRow find_option(const grow::OperatorEntry& entry, const std::string& path) {
  std::vector<std::string> own;
  for (const FieldRow& row : entry.document()) {
    if (row.path == path) return row;
    if (row.type != "map") own.push_back("--" + row.path);
  }
  throw usage_error("--{} is not an option of {}; its options are {}", path, entry.name,
                    join(own, ", "));
}

// Parses a value as YAML if it looks like YAML; a list may also be written as a,b,c.
Tree option_value(const std::string& path, const std::string& text, const FieldRow& row) {
  if (text.starts_with("[") || text.starts_with("{"))
    return schedule::parse_yaml(text, "--" + path);
  if (!row.type.starts_with("list of ") &&
      (row.type.find("or list of ") == std::string::npos || text.find(',') == std::string::npos))
    return Tree::scalar(text);
  std::vector<Tree> items;
  for (const std::string& item : split(text, ',')) items.push_back(Tree::scalar(item));
  return Tree::list(std::move(items));
}

void check_required(const grow::OperatorEntry& entry,
                    const std::map<std::string, std::string>& given) {
  for (const FieldRow& row : entry.document())
    if (row.fallback == "required" && !given.contains(row.path))
      throw usage_error("{} needs --{}: {}", entry.name, row.path, row.doc);
}

RequestedGrowth growth_of_operator(const GrowArguments& arguments) {
  const grow::OperatorEntry& entry = grow::find_operator(arguments.name);
  check_required(entry, arguments.options);
  Tree map = Tree::map();
  map.set("operator", Tree::scalar(entry.name));
  for (const auto& [path, text] : arguments.options) {
    const FieldRow row = find_option(entry, path);
    const std::vector<std::string> keys = split(path, '.');
    Tree* place = &map;
    for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
      Tree* inner = place->find(keys[i]);
      place = inner ? inner : &place->set(keys[i], Tree::map());
    }
    place->set(keys.back(), option_value(path, text, row));
  }
  return {Tree::list({map}), "", {}};
}

// Returns the model that stage i grows from. If the schedule begins by growing a checkpoint, the
// model is known only if that checkpoint exists.
std::optional<arch::ModelConfig> source_of_stage(const schedule::Schedule& schedule,
                                                 std::size_t i) {
  if (schedule.stages[0].grow.kind == Tree::Kind::none) return plan::source_model(schedule, i);
  if (!std::filesystem::is_regular_file(schedule.from)) return {};
  return plan::source_model(schedule, i, state::CheckpointReader(schedule.from).header().model);
}

RequestedGrowth growth_of_stage(const GrowArguments& arguments) {
  const schedule::Schedule schedule =
      plan::with_vocab_of_data(schedule::load(arguments.schedule, arguments.edits));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < schedule.stages.size(); ++i) {
    const schedule::StageSpec& stage = schedule.stages[i];
    names.push_back(stage.name);
    if (stage.name != arguments.stage) continue;
    if (stage.grow.kind == Tree::Kind::none)
      throw usage_error("--stage {}: is the first stage of {}, which has nothing to grow from",
                        arguments.stage, arguments.schedule)
          .with_hint("give a later stage");
    return {stage.grow, fmt::format("stages.{}.grow", i), source_of_stage(schedule, i)};
  }
  throw usage_error("--stage '{}'{}", arguments.stage, suggestion(arguments.stage, names));
}

RequestedGrowth growth_of(const GrowArguments& arguments) {
  if (!arguments.name.empty() && !arguments.schedule.empty())
    throw usage_error("--operator and --schedule cannot be combined: give one of them");
  if (arguments.schedule.empty() && !arguments.stage.empty())
    throw usage_error("--stage {} needs --schedule FILE, the schedule that contains it",
                      arguments.stage);
  if (arguments.name.empty() && arguments.schedule.empty())
    throw usage_error("grow needs --operator NAME, or --schedule FILE with --stage NAME")
        .with_hint("stagedtrain grow --list shows the operators");
  if (!arguments.schedule.empty() && arguments.stage.empty())
    throw usage_error("--schedule needs --stage NAME: which of its stages to grow into");
  if (!arguments.schedule.empty() && !arguments.options.empty())
    throw usage_error("--{} works only with --operator; a stage's options are in its schedule",
                      arguments.options.begin()->first);
  if (arguments.schedule.empty() && !arguments.edits.empty())
    throw usage_error("--set works only with --schedule");
  return arguments.schedule.empty() ? growth_of_operator(arguments) : growth_of_stage(arguments);
}

// ---- Where the result goes.

void check_target(const GrowArguments& arguments) {
  if (arguments.target.empty())
    throw usage_error("OUT.h5 is missing")
        .with_hint("--dry-run shows the growth without writing a file");
  const Path target = arguments.target, folder = target.parent_path();
  refuse_own_source(arguments.source, target, "the checkpoint to be grown; a growth");
  if (std::filesystem::is_directory(target))
    throw usage_error("{}: is a folder, expected a file", arguments.target);
  refuse_overwrite(target, arguments.force);
  if (!folder.empty() && !std::filesystem::is_directory(folder))
    throw usage_error("{}: there is no folder {}", arguments.target, folder.string());
}

// ---- What is printed.

// Returns everything that is known before anything is written.
Json json_of(const GrowArguments& arguments, const grow::GrowthRecipe& recipe) {
  return {
      {"source", arguments.source},
      {"target", arguments.target},
      {"operators", recipe.operators()},
      {"exact", recipe.exact()},
      {"from", plan::to_json(recipe.from)},
      {"to", plan::to_json(recipe.to)},
      {"params", {arch::count_params(recipe.from).total, arch::count_params(recipe.to).total}},
      {"flops_per_token", {arch::flops_per_token(recipe.from), arch::flops_per_token(recipe.to)}}};
}

void print_recipe(const GrowArguments& arguments, const grow::GrowthRecipe& recipe,
                  const state::CheckpointReader& from) {
  const std::uint64_t bytes =
      state::checkpoint_bytes(recipe.to, from.header().dtype, from.header().ema);
  if (arguments.json) {
    Json json = json_of(arguments, recipe);
    json["bytes"] = bytes;
    std::string head = json_text(json);
    head.resize(head.size() - 2);  // leaves the object open, without its last newline and brace
    print(head + ",\n  \"steps\": ");
    grow::print_steps(recipe, print);
    return print("\n}\n");
  }
  grow::print_text(recipe, print);
  print(fmt::format("\nfile             {} -> about {}; nothing was written\n",
                    short_bytes(static_cast<double>(from.file_bytes())),
                    short_bytes(static_cast<double>(bytes))));
}

// The result of --verify.
struct Verdict {
  double before = 0, after = 0;
  std::int64_t tokens = 0;
  double change() const { return (after - before) / before; }
  // Returns false for NaN.
  bool kept() const { return std::abs(change()) <= 1e-5; }
};

Verdict verify(const GrowArguments& arguments) {
  const train::VerifyResult found =
      engine().verify({arguments.source, arguments.target, arguments.tokens, arguments.device});
  return {found.loss_before, found.loss_after, found.tokens};
}

std::string verdict_text(const Verdict& verdict, const grow::GrowthRecipe& recipe) {
  return fmt::format(
      "loss             {:.7f} before, {:.7f} after, on {} tokens\n"
      "difference       {:+.2e} ({:+.2e} of it){}\n",
      verdict.before, verdict.after, grouped(verdict.tokens), verdict.after - verdict.before,
      verdict.change(),
      !recipe.exact()  ? ""
      : verdict.kept() ? ": kept as promised"
                       : ": the promise is broken");
}

void check_promise(const GrowArguments& arguments, const Verdict& verdict,
                   const grow::GrowthRecipe& recipe) {
  if (recipe.exact() && !verdict.kept())
    throw make_error(ErrorKind::bug,
                     "{}: the growth promises to keep the loss, but it went from {:.7f} to {:.7f}",
                     arguments.target, verdict.before, verdict.after)
        .with_hint("the file is complete and was kept; please report this");
}

// ---- The command.

void write_grown(const GrowArguments& arguments, const grow::GrowthRecipe& recipe,
                 const state::CheckpointReader& from) {
  const auto start = std::chrono::steady_clock::now();
  grow::apply_file(recipe, from, arguments.source, arguments.target,
                   arguments.force ? Replace::yes : Replace::no);
  const double seconds = seconds_since(start);
  const auto bytes = std::filesystem::file_size(arguments.target);
  std::optional<Verdict> verdict;
  if (!arguments.tokens.empty()) verdict = verify(arguments);
  if (arguments.json) {
    Json json = json_of(arguments, recipe);
    json["bytes"] = bytes;
    json["seconds"] = seconds;
    if (verdict)
      json["verify"] = {{"loss_before", verdict->before},
                        {"loss_after", verdict->after},
                        {"tokens", verdict->tokens},
                        {"kept", verdict->kept()}};
    print(json_text(json) + "\n");
  } else {
    print(grow::summary(recipe) + fmt::format("written          {}: {} in {}\n", arguments.target,
                                              short_bytes(static_cast<double>(bytes)),
                                              short_seconds(seconds)));
    if (verdict) print(verdict_text(*verdict, recipe));
  }
  if (verdict) check_promise(arguments, *verdict, recipe);
}

// Throws Error(usage) if the growth needs a fit. --dry-run shows the recipe first.
void refuse_fit(const GrowArguments& arguments, const grow::GrowthRecipe& recipe) {
  if (!grow::needs_fit(recipe)) return;
  throw usage_error(
      "{}: its maps are learned from text in {} steps, and grow reads no text; expected "
      "fit.steps 0, which copies",
      recipe.asked(), recipe.steps.front().fit.steps)
      .with_hint(fmt::format(
          "train a schedule with `from: {}` and this growth in its first stage, or give "
          "--fit.steps 0",
          arguments.source));
}

void run(const GrowArguments& arguments) {
  if (arguments.list)
    return print(arguments.json           ? operators_json()
                 : arguments.name.empty() ? operators_table()
                                          : operator_text(arguments.name));
  if (arguments.source.empty())
    throw usage_error("IN.h5 is missing").with_hint("stagedtrain grow --help");
  const RequestedGrowth growth = growth_of(arguments);
  if (arguments.dry_run && !arguments.tokens.empty())
    throw usage_error("--verify needs the grown file, which --dry-run does not write");
  if (!arguments.dry_run) check_target(arguments);
  const state::CheckpointReader from(arguments.source);
  if (!arguments.tokens.empty()) {  // fail now instead of after the growth
    const data::TokenFile tokens(arguments.tokens);
    data::require_same_tokenizer(arguments.tokens, tokens.info().tokenizer, arguments.source,
                                 from.header().run.tokenizer);
    tokens.check_vocab(from.header().model.vocab);
    engine();
  }
  if (growth.from && *growth.from != from.header().model)
    throw usage_error("{}: holds {}, but stage '{}' grows from {}", arguments.source,
                      describe(from.header().model), arguments.stage, describe(*growth.from))
        .with_hint(
            "give the checkpoint at the end of the previous stage, or for the first stage the one "
            "that `from` names");
  const grow::GrowthRecipe recipe =
      grow::make_recipe(growth.list, from.header().model, growth.path);
  if (arguments.dry_run) print_recipe(arguments, recipe, from);
  refuse_fit(arguments, recipe);
  if (arguments.dry_run) return;
  write_grown(arguments, recipe, from);
}

// Adds the options of all operators, each name once. The footer documents them.
void add_operator_options(CLI::App& command, const std::shared_ptr<GrowArguments>& arguments) {
  std::set<std::string> added;
  for (const grow::OperatorEntry& entry : grow::operators())
    for (const FieldRow& row : entry.document())
      if (row.type != "map" && added.insert(row.path).second)
        command
            .add_option_function<std::string>(
                "--" + row.path, [arguments, path = row.path](
                                     const std::string& text) { arguments->options[path] = text; })
            ->group("");
}

}  // namespace

void add_grow(CLI::App& app) {
  auto arguments = std::make_shared<GrowArguments>();
  CLI::App* command = app.add_subcommand(
      "grow", "Grows a checkpoint: weights, both Adam moments and everything else");
  command->add_option("in", arguments->source, "checkpoint to grow")->type_name("IN.h5");
  command->add_option("out", arguments->target, "checkpoint to write")->type_name("OUT.h5");
  command
      ->add_option("--operator", arguments->name,
                   "operator to grow with; its options are listed below")
      ->type_name("NAME");
  command->add_option("--schedule", arguments->schedule, "grow as a stage of this schedule does")
      ->type_name("FILE");
  command->add_option("--stage", arguments->stage, "which stage of --schedule")->type_name("NAME");
  command->add_option("--set", arguments->edits, "change a value of --schedule first")
      ->type_name("path=value");
  command->add_flag("--dry-run", arguments->dry_run,
                    "print how each tensor would be made, write nothing; OUT.h5 is not needed");
  command
      ->add_option("--verify", arguments->tokens,
                   "afterwards, compare the losses of both models on this token file (needs "
                   "LibTorch); exits with code 1 if a promise is broken")
      ->type_name("TOKENS");
  add_device_options(*command, arguments->device);
  command->add_flag("--force", arguments->force, "replace OUT.h5");
  command->add_flag("--list", arguments->list,
                    "print the operators; with --operator, the options of one");
  command->add_flag("--json", arguments->json, "print the result as JSON");
  add_operator_options(*command, arguments);
  command->footer(grow_footer());
  command->callback([arguments] { run(*arguments); });
}

}  // namespace stagedtrain::cmd
