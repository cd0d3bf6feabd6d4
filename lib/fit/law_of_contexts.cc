// Combines laws of several contexts into one.
#include "fit/law_of_contexts.h"

#include <algorithm>

#include "fit/recipe.h"
#include "text/text.h"

namespace stagedtrain::plan {
namespace {

constexpr const char* kWhatMustDiffer =
    "laws in one list must be of runs that differ in context alone";

std::int64_t context_of(const PlanningLaw& law) {
  if (!law.recipe || !law.recipe->context)
    throw usage_error("{}: the context of its runs is not known", law.name)
        .with_hint("fit run folders of one context with stagedtrain plan --fit");
  return static_cast<std::int64_t>(*law.recipe->context);
}

// Returns in what two recipes differ besides the context and the tokens of a step, of which a
// shorter context has fewer; "" if they do not.
std::string difference(const FittedRecipe& a, const FittedRecipe& b) {
  if (a.data != b.data) return "data";
  if (a.vocab != b.vocab) return "vocab";
  if (a.architecture != b.architecture) return "architecture";
  if (a.optimizer != b.optimizer) return "optimizer";
  if (a.parameterization != b.parameterization) return "parameterization";
  return differ(a.peak_rate, b.peak_rate) ? "peak learning rate" : "";
}

void check_alike(const PlanningLaw& a, const PlanningLaw& b) {
  if (context_of(a) == context_of(b))
    throw usage_error("{} and {} have the same context, {}", a.name, b.name, context_of(a))
        .with_hint(kWhatMustDiffer);
  if (a.end != b.end)
    throw usage_error("{} predicts losses {}, {} {}: expected laws of one kind", a.name, a.end,
                      b.name, b.end)
        .with_hint(
            "fit each context to the same kind of logs: with the losses of steps, or of the ends "
            "alone");
  if (const std::string what = difference(*a.recipe, *b.recipe); !what.empty())
    throw usage_error("{} and {} were fitted to runs that differ in {}", a.name, b.name, what)
        .with_hint(kWhatMustDiffer);
}

}  // namespace

PlanningLaw law_of_contexts(std::vector<PlanningLaw> laws) {
  std::ranges::sort(laws, {}, context_of);
  for (std::size_t i = 1; i < laws.size(); ++i) check_alike(laws[i - 1], laws[i]);
  PlanningLaw law = laws.back();
  law.endless = nullptr;  // its closed form is of one context
  for (const PlanningLaw& one : laws) {
    law.samples.resize(std::min(law.samples.size(), one.samples.size()));
    law.by_context[context_of(one)] = one.curve;
    if (&one == &laws.back()) continue;
    law.source += fmt::format("; the curves of context {} are those of {}: {}", context_of(one),
                              one.name, one.source);
    for (const std::string& note : one.notes)
      law.notes.push_back(fmt::format("{}: {}", one.name, note));
  }
  for (std::size_t i = 0; i < law.samples.size(); ++i)
    for (const PlanningLaw& one : laws)
      law.samples[i].by_context[context_of(one)] = one.samples[i].curve;
  return law;
}

PlanningLaw find_law_of_contexts(const std::string& names) {
  std::vector<PlanningLaw> laws;
  for (const std::string& part : split(names, ',')) {
    const std::string name(trim(part));
    if (name.empty())
      throw usage_error("law '{}': found an empty name in a list, expected one comma between files",
                        names);
    if (!names_law_file(name))
      throw usage_error("law '{}': expected law files in a list", name)
          .with_hint("write files of plan --fit with commas between them: short.json,long.json");
    laws.push_back(find_planning_law(name));
  }
  PlanningLaw law = law_of_contexts(std::move(laws));
  law.name = names;
  return law;
}

}  // namespace stagedtrain::plan
