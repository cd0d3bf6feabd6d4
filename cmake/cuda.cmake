# The libraries cuda_kernels and cuda_graphs, each a file that says there are none where something is missing.
# Own kernels need an nvcc (scripts/setup.sh --nvcc puts one into .deps), graphs CUDA's headers and a LibTorch
# that is linked with CUDA.
set(STAGEDTRAIN_CUDA_ARCHITECTURES "80;90" CACHE STRING "GPU architectures that own CUDA kernels are compiled for")
option(STAGEDTRAIN_CUDA_KERNELS "compile own CUDA kernels, where an nvcc of LibTorch's CUDA version is found" ON)
if(NVCC AND NOT EXISTS ${NVCC})
  unset(NVCC CACHE)
endif()
find_program(NVCC nvcc HINTS ${PROJECT_SOURCE_DIR}/.deps/nvcc/nvidia/cu13/bin ENV CUDA_HOME ENV CUDA_PATH
             PATHS /usr/local/cuda PATH_SUFFIXES bin)
# The runtime that LibTorch itself loads; a second one beside it would have its own state.
file(GLOB CUDART ${TORCH_ROOT}/../nvidia/*/lib/libcudart.so.*)
# cuda_runtime.h needs crt/host_config.h, which the wheels ship apart: a folder counts only with both.
find_path(CUDA_INCLUDE crt/host_config.h
          HINTS ${TORCH_ROOT}/../nvidia/cu13/include /usr/local/cuda/include NO_DEFAULT_PATH)
if(CUDA_INCLUDE AND NOT EXISTS ${CUDA_INCLUDE}/cuda_runtime.h)
  set(CUDA_INCLUDE "")
endif()
if(NVCC)
  execute_process(COMMAND ${NVCC} --version OUTPUT_VARIABLE version ERROR_QUIET)
  string(REGEX REPLACE ".*release ([0-9]+).*" "\\1" nvcc_major "${version}")
  string(REGEX REPLACE ".*so[.]([0-9]+).*" "\\1" cudart_major "${CUDART}")
  if(NOT nvcc_major STREQUAL cudart_major)
    message(STATUS "${NVCC} is of CUDA ${nvcc_major}, LibTorch of CUDA ${cudart_major}")
    set(NVCC_OTHER ON)
  endif()
endif()
if(STAGEDTRAIN_CUDA_KERNELS AND NVCC AND NOT NVCC_OTHER AND CUDART AND CUDA_INCLUDE)
  list(TRANSFORM STAGEDTRAIN_CUDA_ARCHITECTURES REPLACE "(.+)" "-gencode=arch=compute_\\1,code=sm_\\1"
       OUTPUT_VARIABLE gencodes)
  set(objects)
  file(GLOB cuda_sources CONFIGURE_DEPENDS lib/cuda_kernels/*.cu)
  file(GLOB cuda_headers CONFIGURE_DEPENDS lib/cuda_kernels/*.h lib/kernels/adamw.h)
  foreach(source ${cuda_sources})
    get_filename_component(name ${source} NAME_WE)
    set(object ${PROJECT_BINARY_DIR}/cuda/${name}.o)
    add_custom_command(
      OUTPUT ${object}
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/cuda
      COMMAND ${NVCC} -O3 -std=c++20 -I${PROJECT_SOURCE_DIR}/lib -I${CUDA_INCLUDE} -Xcompiler -fPIC,-Wall
              ${gencodes} -c ${source} -o ${object}
      DEPENDS ${source} ${cuda_headers}
      COMMENT "nvcc ${name}.cu")
    list(APPEND objects ${object})
  endforeach()
  add_library(cuda_kernels STATIC ${objects})
  set_target_properties(cuda_kernels PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(cuda_kernels INTERFACE ${CUDART})
  message(STATUS "Own CUDA kernels by ${NVCC} for sm_${STAGEDTRAIN_CUDA_ARCHITECTURES}")
else()
  add_library(cuda_kernels STATIC lib/cuda_kernels/absent.cc)
  target_include_directories(cuda_kernels PRIVATE lib)
  message(STATUS "Without own CUDA kernels")
endif()

# NCCL between GPUs. Compiled wherever its headers and CUDA's are, so that every build shows that it compiles;
# it becomes part of the program where LibTorch is linked with CUDA.
option(STAGEDTRAIN_NCCL "exchange between GPUs by NCCL, where its headers are found" ON)
find_path(NCCL_INCLUDE nccl.h HINTS ${TORCH_ROOT}/../nvidia/nccl/include ${CUDA_INCLUDE} /usr/local/cuda/include
          /usr/include NO_DEFAULT_PATH)
if(STAGEDTRAIN_NCCL AND CUDA_INCLUDE AND NCCL_INCLUDE)
  if(TORCH_WITH_CUDA)
    set_property(SOURCE lib/dist/c10d.cc APPEND PROPERTY COMPILE_DEFINITIONS STAGEDTRAIN_NCCL)
    set_property(SOURCE lib/dist/c10d.cc APPEND PROPERTY INCLUDE_DIRECTORIES ${CUDA_INCLUDE} ${NCCL_INCLUDE})
    message(STATUS "Exchange between GPUs by NCCL (${NCCL_INCLUDE}/nccl.h)")
  else()
    add_library(compiled_nccl OBJECT lib/dist/c10d.cc)
    target_compile_definitions(compiled_nccl PRIVATE STAGEDTRAIN_NCCL)
    target_include_directories(compiled_nccl SYSTEM PRIVATE ${CUDA_INCLUDE} ${NCCL_INCLUDE})
    target_link_libraries(compiled_nccl PUBLIC torch_package ground_headers PRIVATE project_warnings)
  endif()
endif()

# Compiled wherever CUDA's headers are, so that every build shows that it compiles. They come before the
# compiler's own folders: a toolkit in /usr/local/include would hide a header that setup.sh forgot.
if(CUDA_INCLUDE AND CUDART)
  add_library(compiled_cuda_graphs OBJECT lib/model/cuda/graph.cc)
  target_include_directories(compiled_cuda_graphs SYSTEM PRIVATE ${CUDA_INCLUDE})
  target_link_libraries(compiled_cuda_graphs PUBLIC torch_package ground_headers ${CUDART} PRIVATE project_warnings)
endif()
if(TARGET compiled_cuda_graphs AND TORCH_WITH_CUDA)
  add_library(cuda_graphs INTERFACE)
  target_sources(cuda_graphs INTERFACE $<TARGET_OBJECTS:compiled_cuda_graphs>)
  target_link_libraries(cuda_graphs INTERFACE ${CUDART})
else()
  add_library(cuda_graphs STATIC lib/model/cuda/absent.cc)
  target_link_libraries(cuda_graphs PUBLIC torch_package ground_headers)
endif()
