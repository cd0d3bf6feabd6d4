// The laws of the room law, each with the count of parameters that it is about.
#include "plan/planning_law.h"

#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "law/chinchilla.h"
#include "law/kaplan.h"

namespace stagedtrain::plan {
namespace {

PlanningLaw chinchilla_law(const law::ChinchillaConstants& constants) {
  PlanningLaw planning;
  planning.name = constants.name;
  planning.source = constants.source;
  planning.end = "decayed ends";
  planning.least_parameters = 44e6;
  planning.most_parameters = 16e9;
  planning.parameters = [](const arch::ParamCount& count) {
    return static_cast<double>(count.total);
  };
  planning.curve = [chinchilla = constants.law](double parameters) {
    return std::make_shared<law::PowerCurve>(chinchilla.curve(parameters));
  };
  return planning;
}

PlanningLaw kaplan_law() {
  PlanningLaw planning;
  planning.name = "kaplan";
  planning.source = "Kaplan et al. 2020 (arXiv 2001.08361), at the critical batch";
  planning.end = "a constant rate";
  planning.least_parameters = 768;
  planning.most_parameters = 1.5e9;
  planning.parameters = [](const arch::ParamCount& count) {
    return static_cast<double>(count.non_embedding);
  };
  planning.curve = [](double parameters) {
    return std::make_shared<law::KaplanCurve>(law::Kaplan(), parameters);
  };
  return planning;
}

}  // namespace

PlanningLaw find_planning_law(const std::string& name) {
  if (name == "kaplan") return kaplan_law();
  std::vector<std::string> names = {"chinchilla", "kaplan"};
  for (const law::ChinchillaConstants& constants : law::chinchilla_constants()) {
    if (name == constants.name || name == "chinchilla") return chinchilla_law(constants);
    names.push_back(constants.name);
  }
  throw usage_error("unknown law '{}'{}", name, suggestion(name, names));
}

void refuse_nonsense(const PlanningLaw& law, const law::Size& size, const arch::ModelConfig& model,
                     double tokens) {
  const double knows_nothing = std::log(static_cast<double>(model.vocab));
  const double loss = size.curve->loss(tokens);
  if (loss < knows_nothing) return;
  throw usage_error(
      "the law {} sees {} come to a loss of {:.2f} after {} tokens, expected less than {:.2f}, "
      "that of a guess among {} ids",
      law.name, size.name, loss, short_count(tokens), knows_nothing, grouped(model.vocab))
      .with_hint(
          "published laws are of larger models and of word pieces, not bytes; fit your own runs");
}

}  // namespace stagedtrain::plan
