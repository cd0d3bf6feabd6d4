# Language, build type, warnings, ccache, sanitizers.
option(STAGEDTRAIN_TESTS "build the tests" OFF)
option(STAGEDTRAIN_BENCH "build the benchmarks" OFF)
option(STAGEDTRAIN_FUZZ "build the fuzz targets, with clang (scripts/fuzz.sh)" OFF)
set(STAGEDTRAIN_SANITIZE "" CACHE STRING "sanitizers for -fsanitize=, as address,undefined")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O3")
# In a release a room is compiled as one unit, so that its headers are read once: from nothing, this
# takes about half of the time. With -DCMAKE_UNITY_BUILD=OFF an edited file is compiled alone.
if(NOT DEFINED CMAKE_UNITY_BUILD AND CMAKE_BUILD_TYPE STREQUAL Release)
  set(CMAKE_UNITY_BUILD ON)
endif()

add_library(project_warnings INTERFACE)
target_compile_options(project_warnings INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
# False alarms of GCC 12 on std::string at -O3.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(project_warnings INTERFACE -Wno-restrict -Wno-stringop-overflow)
endif()
if(STAGEDTRAIN_SANITIZE)
  add_compile_options(-fsanitize=${STAGEDTRAIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g -O1)
  add_link_options(-fsanitize=${STAGEDTRAIN_SANITIZE})
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${CCACHE})
endif()
