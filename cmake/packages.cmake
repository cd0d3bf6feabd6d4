# Third-party packages: Debian's for the core, LibTorch (wheel or own) for the backend.
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Threads REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
# Debian's shared HDF5 brings curl, OpenSSL, Kerberos and 30 more libraries, most of the time that the
# program takes to start. Of the static one only what is called is linked, where it can be linked.
include(CheckCSourceCompiles)
list(GET HDF5_LIBRARIES 0 HDF5_SHARED)
string(REGEX REPLACE "\\.so[.0-9]*$" ".a" HDF5_ARCHIVE "${HDF5_SHARED}")
set(CMAKE_REQUIRED_INCLUDES ${HDF5_INCLUDE_DIRS})
set(CMAKE_REQUIRED_LIBRARIES ${HDF5_ARCHIVE} sz z m ${CMAKE_DL_LIBS} Threads::Threads)
check_c_source_compiles("#include <hdf5.h>\nint main(void) { return H5open(); }" HDF5_LINKS_STATIC)
if(HDF5_LINKS_STATIC)
  set(HDF5_LIBRARIES ${CMAKE_REQUIRED_LIBRARIES})
endif()
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_LIBRARIES)
find_path(SENTENCEPIECE_INCLUDE sentencepiece_processor.h REQUIRED)
find_library(SENTENCEPIECE_LIBRARY sentencepiece REQUIRED)
find_path(PCRE2_INCLUDE pcre2.h REQUIRED)
find_library(PCRE2_LIBRARY pcre2-8 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_path(BOOST_INCLUDE boost/math/tools/roots.hpp REQUIRED)
find_path(ZSTD_INCLUDE zstd.h REQUIRED)
find_library(ZSTD_LIBRARY zstd REQUIRED)

add_library(ground_headers INTERFACE)
target_include_directories(ground_headers INTERFACE ${PROJECT_SOURCE_DIR}/lib)
target_link_libraries(ground_headers INTERFACE fmt::fmt nlohmann_json::nlohmann_json)
add_library(ground_packages INTERFACE)
target_include_directories(ground_packages SYSTEM INTERFACE ${HDF5_INCLUDE_DIRS} ${SENTENCEPIECE_INCLUDE} ${PCRE2_INCLUDE} ${ZSTD_INCLUDE} ${BOOST_INCLUDE} ${YAML_CPP_INCLUDE_DIR})
target_compile_definitions(ground_packages INTERFACE ${HDF5_DEFINITIONS})
target_link_libraries(ground_packages INTERFACE ground_headers yaml-cpp ${HDF5_LIBRARIES}
                      ${SENTENCEPIECE_LIBRARY} ${PCRE2_LIBRARY} ZLIB::ZLIB ${ZSTD_LIBRARY} Eigen3::Eigen Threads::Threads)

# LibTorch: one that CMAKE_PREFIX_PATH names, else the wheel that scripts/setup.sh puts into .deps.
# The wheel's own CMake package demands nvcc, so the target is made here.
find_path(TORCH_INCLUDE torch/csrc/api/include/torch/torch.h
          HINTS ${CMAKE_PREFIX_PATH} PATHS ${PROJECT_SOURCE_DIR}/.deps/libtorch/torch
          PATH_SUFFIXES include torch/include)
if(TORCH_INCLUDE)
  get_filename_component(TORCH_ROOT ${TORCH_INCLUDE} DIRECTORY)
  add_library(torch_package INTERFACE)
  # Behind the system's own headers: the wheel brings a newer fmt, whose library it does not export.
  target_compile_options(torch_package INTERFACE -fopenmp -Wno-unknown-pragmas "SHELL:-idirafter ${TORCH_INCLUDE}"
                         "SHELL:-idirafter ${TORCH_INCLUDE}/torch/csrc/api/include")
  target_link_directories(torch_package INTERFACE ${TORCH_ROOT}/lib)
  target_link_options(torch_package INTERFACE -Wl,--no-as-needed -Wl,-rpath,${TORCH_ROOT}/lib)
  target_link_libraries(torch_package INTERFACE torch_cpu c10 ${TORCH_ROOT}/lib/libgomp.so.1)
  if(NOT EXISTS ${TORCH_ROOT}/lib/libgomp.so.1)
    set_property(TARGET torch_package PROPERTY INTERFACE_LINK_LIBRARIES torch_cpu c10 gomp)
  endif()
  # ATen's headers take most of a unit's time: read once for a target. -fpch-preprocess is for ccache.
  function(precompile_torch target)
    target_precompile_headers(${target} PRIVATE <ATen/ATen.h> <ATen/Parallel.h>)
    if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
      target_compile_options(${target} PRIVATE -fpch-preprocess)
    endif()
  endfunction()
  # c10d's header includes Gloo's, which no wheel has; own declarations stand in, behind all others.
  set_source_files_properties(lib/dist/c10d.cc PROPERTIES COMPILE_OPTIONS
                              "-idirafter;${PROJECT_SOURCE_DIR}/lib/dist/declared")
  # With the full CUDA set the module reaches the GPU through ATen alone; no CUDA header is needed.
  file(GLOB CUDA_RUNTIME ${TORCH_ROOT}/../nvidia/cudnn/lib/libcudnn.so*)
  if(EXISTS ${TORCH_ROOT}/lib/libtorch_cuda.so AND CUDA_RUNTIME)
    set_property(TARGET torch_package APPEND PROPERTY INTERFACE_LINK_LIBRARIES torch_cuda c10_cuda)
    set(TORCH_WITH_CUDA ON)
  endif()
  # Google Highway, for the CPU kernels: vector code for several processors in one binary.
  find_path(HWY_INCLUDE hwy/highway.h REQUIRED)
  find_library(HWY_LIBRARY hwy REQUIRED)
  add_library(hwy_package INTERFACE)
  target_include_directories(hwy_package SYSTEM INTERFACE ${HWY_INCLUDE})
  target_link_libraries(hwy_package INTERFACE ${HWY_LIBRARY})
else()
  message(STATUS "LibTorch not found: building only the core, without train and eval (run scripts/setup.sh)")
endif()
