// Which assumption about grown models does a plan use, and how do users write it?
#pragma once

#include <string>
#include <vector>

#include "scaling/assumption.h"

namespace stagedtrain::plan {

struct Transfer {
  scaling::Assumption assumption = scaling::Assumption::loss_state;
  double rho = 1;                 // for Assumption::measured
  double mixing_tokens = 0;       // how long a growth takes to mix; 0: not known
  std::vector<double> rhos = {};  // rho of the growth into each stage, if they differ; else empty
  double rho_of(std::size_t stage) const { return rhos.empty() ? rho : rhos.at(stage); }
};

// The accepted range of rho. Measured values are between 1 and 2; values far outside are typing
// errors.
inline constexpr double kLeastRho = 0.1, kMostRho = 100;

// Returns the assumption in the form that read_transfer() reads.
std::string word_of(const Transfer& transfer);

// Reads "loss-state", "mixing" or "rho=X"; mixing_tokens stays 0. Throws Error(usage), whose
// message begins with `where` and names `expected`, for anything else.
Transfer read_transfer(const std::string& where, const std::string& word,
                       const char* expected = "loss-state, mixing or rho=X");

}  // namespace stagedtrain::plan
