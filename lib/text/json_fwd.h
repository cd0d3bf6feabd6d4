// Declares Json and SortedJson for headers that only name them. Units that include text/json.h
// compile nlohmann's parser, which takes each of them almost a second.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace stagedtrain {

using Json = nlohmann::ordered_json;  // keys in the order in which they were written
using SortedJson = nlohmann::json;    // keys sorted

}  // namespace stagedtrain
