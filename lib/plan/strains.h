// What strains an assumption about growing, in words: for plans that are made and for plans that
// are only priced.
#pragma once

#include "plan/forecast.h"

namespace stagedtrain::plan {

// Above 20 tokens for each parameter loss-state promises little. most: what it is then, in words,
// as "here it is at most 3.2%"; nothing for fewer tokens.
std::optional<std::string> long_run_strain(double tokens, const arch::ParamCount& params,
                                           const std::string& most);

// Under mixing: a mixing time that is not known, and a rate that falls all along.
std::vector<std::string> mixing_strains(const schedule::Schedule& schedule,
                                        const Transfer& transfer);

// How much larger a model is without its embeddings.
double growth_factor(const arch::ParamCount& from, const arch::ParamCount& to);

// A model of which more than two thirds are embeddings; nothing for others.
std::optional<std::string> embedding_strain(const std::string& name,
                                            const arch::ParamCount& params);

// A growth beyond four times the parameters without embeddings; nothing for others.
std::optional<std::string> growth_strain(const std::string& from, const std::string& to,
                                         double factor);

}  // namespace stagedtrain::plan
