// stagedtrain as a shell starts it: with redirections, limits, another folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/command.h"

namespace stagedtrain::test {

// script runs by sh, in which "$@" is stagedtrain with these arguments: "exec \"$@\" >/dev/full".
inline Command in_shell(const std::string& script, std::vector<std::string> arguments) {
  std::vector<std::string> words = {"/bin/sh", "-c", script, "sh", program()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return {.arguments = std::move(words)};
}

}  // namespace stagedtrain::test
