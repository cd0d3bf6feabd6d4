// For which plans is an assumption about growing doubtful? Assumption warnings for plans of
// --optimize and for given schedules.
#pragma once

#include "forecast/forecast.h"

namespace stagedtrain::plan {

// Warns above 20 tokens for each parameter, where loss-state saves little. `most` says how much, as
// "here it is at most 3.2%". Returns nothing for fewer tokens.
std::optional<std::string> long_run_warning(double tokens, const arch::ParamCount& params,
                                           const std::string& most);

// Returns the warnings under mixing: the mixing time is not known, and the learning rate falls from
// the start.
std::vector<std::string> mixing_warnings(const schedule::Schedule& schedule,
                                         const Transfer& transfer);

// Returns by which factor the parameters without embeddings grow.
double growth_factor(const arch::ParamCount& from, const arch::ParamCount& to);

// Warns about a model whose parameters are embeddings by more than two thirds. Returns nothing for
// others.
std::optional<std::string> embedding_warning(const std::string& name,
                                             const arch::ParamCount& params);

// Warns about a growth beyond four times the parameters without embeddings. Returns nothing for
// others.
std::optional<std::string> growth_warning(const std::string& from, const std::string& to,
                                          double factor);

}  // namespace stagedtrain::plan
