// Catch2, version 2 (Debian 12, Ubuntu 22.04) or 3 (later): the same names for both.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;  // version 2 has it at global scope
#else
#include <catch2/catch.hpp>
#endif

